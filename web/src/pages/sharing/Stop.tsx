/** Asks before something that is shared ends, and ends it. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { settled } from "../../app/store.ts";
import { words } from "../../i18n/index.ts";
import { Button } from "../../ui/parts.tsx";
import { Sheet } from "../../ui/Sheet.tsx";

export function Stop(p: { title: ComponentChildren; why: string; act: string; stop(): Promise<{ block: number }>; close(): void }) {
  const [busy, setBusy] = useState(false);
  const stop = async () => {
    setBusy(true);
    await settled(words.value.sharing.stopped, p.stop);
    p.close();
  };
  return (
    <Sheet title={p.title} close={p.close}>
      <p>{p.why}</p>
      <div class="stack">
        <Button tone="danger" busy={busy} onClick={() => void stop()}>
          {p.act}
        </Button>
        <Button onClick={p.close}>{words.value.common.cancel}</Button>
      </div>
    </Sheet>
  );
}
