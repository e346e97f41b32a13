/** Has the browser save a file. Its address is good in this page alone, and for a moment. */
export function save(b: Blob, name: string) {
  const url = URL.createObjectURL(b);
  const a = document.createElement("a");
  a.href = url;
  a.download = name;
  a.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** What a browser gives that lets a page write a file that the user chose: https://wicg.github.io/file-system-access/ */
interface Picks {
  showSaveFilePicker?(o: {
    suggestedName: string;
  }): Promise<{ createWritable(): Promise<WritableStream<Blob> & { write(b: Blob): Promise<void> }> }>;
}

/** The bytes from a place on, and how many there are in all. */
export type Part = (from: number) => Promise<{ bytes: Blob; size: number }>;

export const large = 64 << 20; // bytes from which on a file isn't put together in the browser, where that can be

/**
 * Has the browser save a file that comes in parts: a large one is written to its place as it comes, if the browser can do that and the user chooses one; else it is put
 * together first. False: the user didn't choose.
 */
export async function saveParts(
  part: Part,
  name: string,
  told: (done: number, of: number) => void,
  browser: Picks = window as Picks,
): Promise<boolean> {
  const first = await part(0);
  const all = async (take: (b: Blob) => void | Promise<void>) => {
    let done = 0;
    for (let next = first; ; next = await part(done)) {
      await take(next.bytes);
      done += next.bytes.size;
      told(done, first.size);
      if (done >= first.size) return;
      if (next.bytes.size === 0) throw new Error("a part without bytes");
    }
  };
  if (first.size >= large && browser.showSaveFilePicker) {
    let to: Awaited<ReturnType<NonNullable<Picks["showSaveFilePicker"]>>>;
    try {
      to = await browser.showSaveFilePicker({ suggestedName: name });
    } catch (e) {
      if (e instanceof DOMException && e.name === "AbortError") return false;
      throw e;
    }
    const file = await to.createWritable();
    try {
      await all((b) => file.write(b));
    } catch (e) {
      await file.abort(); // nothing of it stays
      throw e;
    }
    await file.close();
    return true;
  }
  const parts: Blob[] = [];
  await all((b) => void parts.push(b));
  save(new Blob(parts, { type: first.bytes.type }), name);
  return true;
}
