/** The files that a resource has: within it, or as a Binary of the record. Files of other places are not fetched: that would tell somebody. */
import type { Attachment } from "fhir/r4";
import type { Resource } from "../vault/api.ts";
import type { Item } from "./item.ts";
import { type FhirResource, target } from "./read.ts";

export interface Attached {
  id: string;
  title: string;
  type: string; // without parameters, lower case
  size: number; // 0: not told
  data: string | null; // base64
  binary: Resource | null; // the record's own Binary, whose bytes the vault opens
}

function of(r: FhirResource): Attachment[] {
  switch (r.resourceType) {
    case "DocumentReference":
      return r.content.map((c) => c.attachment);
    case "DiagnosticReport":
      return r.presentedForm ?? [];
    case "Media":
      return [r.content];
    case "Binary":
      return [{ contentType: r.contentType, url: `Binary/${r.id}`, ...(r.data ? { data: r.data } : {}) }];
    default:
      return [];
  }
}

const plainType = (s: string | undefined): string => (s ?? "").split(";")[0]!.trim().toLowerCase();

export function attachments(i: Item, all: readonly Resource[]): Attached[] {
  return of(i.fhir).flatMap((a, n): Attached[] => {
    const key = target(a.url ? { reference: a.url } : undefined);
    const binary = a.data ? null : (all.find((r) => r.type === "Binary" && r.key === key && r.current.status === "active") ?? null);
    if (!a.data && !binary) return [];
    const inside = binary?.current.json ? (JSON.parse(binary.current.json) as { data?: string; contentType?: string }) : {};
    return [
      {
        id: `${i.key}/${n}`,
        title: a.title ?? "",
        type: plainType(a.contentType ?? inside.contentType),
        size: a.size ?? 0,
        data: a.data ?? inside.data ?? null,
        binary,
      },
    ];
  });
}

/** What the app shows by itself; all other types are only saved. */
export const look = (type: string): "picture" | "text" | null =>
  ["image/png", "image/jpeg", "image/gif", "image/webp"].includes(type) ? "picture" : type === "text/plain" ? "text" : null;

const endings: Record<string, string> = {
  "application/pdf": "pdf",
  "application/dicom": "dcm",
  "image/png": "png",
  "image/jpeg": "jpg",
  "image/gif": "gif",
  "image/webp": "webp",
  "text/plain": "txt",
  "text/csv": "csv",
  "application/json": "json",
};

/** A name that says nothing of the record: it may stand in a list of downloads that others see. */
export const fileName = (type: string): string => `vitalog-attachment.${endings[type] ?? "bin"}`;
