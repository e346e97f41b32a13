/** The shape of the last values, beside the newest in words. */
import type { Point } from "../../fhir/series.ts";

export function Spark({ points }: { points: Point[] }) {
  const last = points.slice(-12);
  if (last.length < 2) return <span class="spark" />;
  const values = last.map((p) => p.value);
  const low = Math.min(...values);
  const span = Math.max(...values) - low || 1;
  const from = last[0]!.at;
  const days = last.at(-1)!.at - from || 1;
  const at = (p: Point) => `${(((p.at - from) / days) * 60 + 2).toFixed(1)} ${(22 - ((p.value - low) / span) * 18).toFixed(1)}`;
  const newest = last.at(-1)!;
  return (
    <svg class="spark" viewBox="0 0 64 26" aria-hidden="true" focusable="false">
      <path d={`M${last.map(at).join("L")}`} />
      <circle cx={at(newest).split(" ")[0]} cy={at(newest).split(" ")[1]} r="2.4" />
    </svg>
  );
}
