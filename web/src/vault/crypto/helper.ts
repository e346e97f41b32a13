/** The entry of a helper's worker, which brings its own ML-KEM: a chunk that it shared with the vault would start the vault in it. */

import { ml_kem768 } from "@noble/post-quantum/ml-kem.js";
import { help } from "./kem.ts";

help(self as unknown as Parameters<typeof help>[0], ml_kem768.decapsulate);
