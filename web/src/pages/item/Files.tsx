/**
 * The files of an entry, opened when somebody asks. Pictures are drawn on a canvas and text is shown as text: nothing of them gets an address. What is saved
 * has one for a moment.
 */
import { useEffect, useRef, useState } from "preact/hooks";
import { save, saveParts } from "../../app/save.ts";
import { chart, explain, progress, tell, vault } from "../../app/store.ts";
import { type Attached, attachments, fileName, look } from "../../fhir/attachments.ts";
import type { Item } from "../../fhir/item.ts";
import { fill, number, words } from "../../i18n/index.ts";
import { Icon } from "../../ui/Icon.tsx";
import { Button, Part } from "../../ui/parts.tsx";

const most = { shown: 64 << 20, text: 200_000, width: 1600 }; // bytes, characters, pixels

async function bytesOf(a: Attached): Promise<Blob> {
  if (a.data !== null) return new Blob([Uint8Array.from(atob(a.data), (c) => c.charCodeAt(0))], { type: a.type });
  const { section, entry } = a.binary!.current;
  return vault.attachment({ section, entry });
}

export function Files({ item: i }: { item: Item }) {
  const all = attachments(i, chart.value?.resources ?? []);
  if (all.length === 0) return null;
  return (
    <Part title={words.value.files.title}>
      {all.map((a) => (
        <FileOf key={a.id} file={a} name={i.title} />
      ))}
    </Part>
  );
}

type Shown = { text: string } | { picture: ImageBitmap } | null;

function FileOf({ file: a, name }: { file: Attached; name: string }) {
  const w = words.value.files;
  const [busy, setBusy] = useState(false);
  const [shown, setShown] = useState<Shown>(null);
  const way = look(a.type);
  const act = async (what: () => Promise<void>) => {
    setBusy(true);
    try {
      await what();
    } catch (e) {
      tell(e instanceof DOMException ? w.unreadable : explain(e), true);
    } finally {
      progress.value = null;
      setBusy(false);
    }
  };
  const open = async () => {
    const b = await bytesOf(a);
    if (b.size > most.shown) return tell(w.large, true);
    if (way === "text") return setShown({ text: (await b.text()).slice(0, most.text) });
    const whole = await createImageBitmap(b);
    setShown({ picture: whole.width > most.width ? await createImageBitmap(whole, { resizeWidth: most.width }) : whole });
  };
  const keep = async () => {
    const name = fileName(a.type);
    if (a.binary && a.data === null) {
      const { section, entry } = a.binary.current;
      const part = (from: number) => vault.attachmentPart({ section, entry, from });
      if (!(await saveParts(part, name, (done, of) => (progress.value = { step: "records", done, of })))) return;
    } else save(await bytesOf(a), name);
    tell(fill(words.value.more.saved, { file: name }));
  };
  return (
    <div class="card text file">
      <p class="kind">
        <Icon name="note" />
        <bdi>{a.title || w.types[way ?? (a.type === "application/pdf" ? "pdf" : "other")]}</bdi>
        {a.size > 0 && <span class="row-more">{fill(w.size, { kb: number(Math.ceil(a.size / 1000)) })}</span>}
      </p>
      {shown && "text" in shown && (
        <section class="raw" aria-label={a.title || w.types.text} {...{ tabIndex: 0 }}>
          <pre dir="auto">{shown.text}</pre>
        </section>
      )}
      {shown && "picture" in shown && <Picture of={shown.picture} label={fill(w.picture, { name: a.title || name })} />}
      <div class="pair">
        {way && !shown && (
          <Button busy={busy} onClick={() => void act(open)}>
            {w.show}
          </Button>
        )}
        {shown && <Button onClick={() => setShown(null)}>{w.close}</Button>}
        <Button icon="download" busy={busy} onClick={() => void act(keep)}>
          {w.save}
        </Button>
      </div>
      <p class="hint">{w.saveWarn}</p>
    </div>
  );
}

function Picture({ of, label }: { of: ImageBitmap; label: string }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    canvas.current?.getContext("2d")?.drawImage(of, 0, 0);
    return () => of.close();
  }, [of]);
  return <canvas class="picture" ref={canvas} width={of.width} height={of.height} role="img" aria-label={label} />;
}
