import { AppError } from "../kernel/errors.ts";
import { LICENSES_ASSET } from "./assets/manifest.ts";
import { getAsset, SINGLE_FILE } from "./assets.ts";

/** Other people's work inside the single file. Written by the build, so it is not checked again. */
export interface ThirdPartyPackage {
  readonly name: string;
  readonly version: string;
  /** SPDX expression, or what the package says of itself. */
  readonly license: string;
  /** The licence in full, with its copyright lines. */
  readonly text: string;
}

/**
 * Everything by others that this executable contains, by name.
 * @throws AppError UNSUPPORTED_FEATURE outside the single file, which is the only one that carries packages.
 */
export function readThirdPartyPackages(): readonly ThirdPartyPackage[] {
  if (!SINGLE_FILE) {
    throw new AppError("UNSUPPORTED_FEATURE", "only the single file carries other people's packages", {
      meta: { hint: "run dist/aitbc; from source, the packages lie in node_modules with their licences" },
    });
  }
  return JSON.parse(Buffer.from(getAsset(LICENSES_ASSET)).toString()) as readonly ThirdPartyPackage[];
}
