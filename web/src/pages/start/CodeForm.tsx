/** A code of 64 characters, by the camera where the browser reads QR codes, or by hand. */

import { useState } from "preact/hooks";
import { words } from "../../i18n/index.ts";
import { LongField } from "../../ui/LongField.tsx";
import { Button } from "../../ui/parts.tsx";
import { Form } from "./Form.tsx";
import { canScan, Scan } from "./Scan.tsx";

interface Props {
  title: string;
  why: string;
  label: string;
  act: string;
  link: string; // what the QR code begins with
  typed: string; // it stays when one character was wrong
  set(typed: string): void;
  error: string;
  busy?: boolean;
  back?: () => void;
  run(code: string): void;
}

export function CodeForm({ title, why, label, act, link, typed, set, error, busy = false, back, run }: Props) {
  const w = words.value.start;
  const [scanning, setScanning] = useState(false);
  const [camera, setCamera] = useState("");
  if (scanning)
    return (
      <Scan
        begins={link}
        title={w.claimScan}
        hint={w.claimScanning}
        found={(text) => {
          setScanning(false);
          run(text);
        }}
        close={(failed) => {
          setScanning(false);
          if (failed) setCamera(w.claimNoCamera);
        }}
      />
    );
  return (
    <Form {...{ title, why, act, busy, ...(back && { back }) }} error={error || camera} submit={() => run(typed)}>
      <LongField label={label} hint={w.claimHint} value={typed} set={set} exact="characters" />
      {canScan() && <Button onClick={() => setScanning(true)}>{w.claimScan}</Button>}
    </Form>
  );
}
