/** The proof that an entry stands on the ledger, fetched and checked when it is asked for. */
import { useState } from "preact/hooks";
import { explain, vault } from "../../app/store.ts";
import { fill, time, words } from "../../i18n/index.ts";
import { Icon } from "../../ui/Icon.tsx";
import { Button } from "../../ui/parts.tsx";
import type { Proof, Version } from "../../vault/api.ts";

export function ProofOf({ version: v }: { version: Version }) {
  const w = words.value.item;
  const [proof, setProof] = useState<Proof | null>(null);
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const check = () => {
    setBusy(true);
    setError("");
    vault
      .proof({ section: v.section, entry: v.entry })
      .then(setProof, (e: unknown) => setError(explain(e)))
      .finally(() => setBusy(false));
  };
  return (
    <>
      <p>{fill(w.proofEntry, { entry: String(v.entry), block: String(v.block) })}</p>
      <p>
        {w.proofId} <code dir="ltr">{v.record}</code>
      </p>
      <div role="status">
        {proof && (
          <p class="verified">
            <Icon name="shield" />
            <span>{fill(w.proofSigned, { signed: proof.signed, of: proof.of, time: time(proof.at, "minute") })}</span>
          </p>
        )}
        {error && <p class="hint bad">{error}</p>}
      </div>
      <Button icon="shield" busy={busy} onClick={check}>
        {w.proofDo}
      </Button>
    </>
  );
}
