/** A code between two persons: to be scanned, or copied as text; and the field where one comes in. */
import { useState } from "preact/hooks";
import { words } from "../../i18n/index.ts";
import { Code } from "../../ui/Code.tsx";
import { LongField } from "../../ui/LongField.tsx";
import { Button } from "../../ui/parts.tsx";
import { canScan, Scan } from "../start/Scan.tsx";

export function Shown({ text, label }: { text: string; label: string }) {
  return (
    <>
      <div class="card code">
        <Code text={text} label={label} />
      </div>
      <div class="card folds">
        <details open>
          <summary>{words.value.family.asText}</summary>
          <p>
            <code dir="ltr">{text}</code>
          </p>
        </details>
      </div>
    </>
  );
}

interface Props {
  label: string;
  hint: string;
  begins: string;
  act: string;
  busy: boolean;
  error: string;
  take(text: string): void;
}

/** Takes a code as text or by the camera. */
export function Taken({ label, hint, begins, act, busy, error, take }: Props) {
  const [typed, setTyped] = useState("");
  const [scanning, setScanning] = useState(false);
  const [camera, setCamera] = useState("");
  if (scanning)
    return (
      <Scan
        begins={begins}
        title={words.value.start.claimScan}
        hint={words.value.start.claimScanning}
        found={(text) => {
          setScanning(false);
          take(text);
        }}
        close={(failed) => {
          setScanning(false);
          if (failed) setCamera(words.value.start.claimNoCamera);
        }}
      />
    );
  return (
    <>
      <LongField label={label} hint={hint} value={typed} set={setTyped} exact="none" />
      <p class="hint bad" role="alert">
        {error || camera}
      </p>
      <div class="stack">
        <Button tone="main" busy={busy} onClick={() => take(typed)}>
          {act}
        </Button>
        {canScan() && <Button onClick={() => setScanning(true)}>{words.value.start.claimScan}</Button>}
      </div>
    </>
  );
}
