/** The pages about what stands in the record, fetched together. */
export { Emergency } from "./Emergency.tsx";
export { ItemPage } from "./ItemPage.tsx";
export { Medicines } from "./Medicines.tsx";
export { Record } from "./Record.tsx";
export { Import } from "./record/Import.tsx";
export { Write } from "./record/Write.tsx";
export { TrendPage } from "./TrendPage.tsx";
export { Vitals } from "./Vitals.tsx";
