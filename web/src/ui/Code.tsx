/** A QR code, drawn as one SVG path; its maker is fetched when the first one is shown. */
import { useEffect, useState } from "preact/hooks";

interface Drawn {
  size: number;
  path: string;
}

async function draw(text: string, level: "L" | "M"): Promise<Drawn> {
  const { correction, generate } = await import("lean-qr");
  const code = generate(text, { minCorrectionLevel: correction[level] });
  let path = "";
  for (let y = 0; y < code.size; y++) for (let x = 0; x < code.size; x++) if (code.get(x, y)) path += `M${x} ${y}h1v1h-1z`;
  return { size: code.size, path };
}

/** `level` is of error correction: what part of the code may be unreadable. */
export function Code({ text, label, level = "L" }: { text: string; label: string; level?: "L" | "M" }) {
  const [drawn, setDrawn] = useState<Drawn | null>(null);
  useEffect(() => {
    let here = true;
    void draw(text, level).then((d) => here && setDrawn(d));
    return () => {
      here = false;
    };
  }, [text, level]);
  const size = (drawn?.size ?? 29) + 8;
  return (
    <svg class="qr" viewBox={`-4 -4 ${size} ${size}`} role="img" aria-label={label} shape-rendering="crispEdges">
      <rect x="-4" y="-4" width={size} height={size} fill="#fff" />
      {drawn && <path d={drawn.path} fill="#000" />}
    </svg>
  );
}
