/** A QR code of ours by the camera, where the browser reads codes itself. The picture stays in the page and goes when it closes. */

import { useEffect, useRef } from "preact/hooks";
import { words } from "../../i18n/index.ts";
import { Heading } from "../../ui/Heading.tsx";
import { Button } from "../../ui/parts.tsx";

/** What the types of TypeScript don't have yet. */
interface Detector {
  detect(from: HTMLVideoElement): Promise<{ rawValue: string }[]>;
}

const maker = (): (new (o: { formats: string[] }) => Detector) | undefined =>
  (globalThis as { BarcodeDetector?: new (o: { formats: string[] }) => Detector }).BarcodeDetector;

export const canScan = (): boolean => maker() !== undefined && navigator.mediaDevices !== undefined;

const pause = 250; // ms between looks

export interface Looking {
  begins: string; // what the code says first
  title: string;
  hint: string;
  found(text: string): void;
  close(failed: boolean): void;
}

export function Scan({ begins, title, hint, found, close }: Looking) {
  const video = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    let over = false;
    let stream: MediaStream | null = null;
    const look = async () => {
      const detector = new (maker()!)({ formats: ["qr_code"] });
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
      if (over) return;
      video.current!.srcObject = stream;
      await video.current!.play();
      while (!over) {
        const code = (await detector.detect(video.current!)).find((c) => c.rawValue.toLowerCase().startsWith(begins));
        if (code && !over) return found(code.rawValue);
        await new Promise((done) => setTimeout(done, pause));
      }
    };
    const stop = () => {
      for (const t of stream?.getTracks() ?? []) t.stop();
    };
    look()
      .catch(() => over || close(true))
      .finally(stop);
    return () => {
      over = true;
      stop();
    };
  }, []);
  return (
    <div class="start">
      <Heading>{title}</Heading>
      <p class="lead">{hint}</p>
      <video ref={video} class="camera" muted playsInline aria-label={hint} />
      <Button onClick={() => close(false)}>{words.value.common.cancel}</Button>
    </div>
  );
}
