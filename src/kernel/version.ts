import manifest from "../../package.json" with { type: "json" };

/** Version of this program (semver 2.0). */
export const VERSION: string = manifest.version;
