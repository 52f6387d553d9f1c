import type { BuildOptions, Plugin } from "esbuild";
import type { BuildInfo } from "./src/app/build-info.ts";

/**
 * CommonJS packages ask for Node's modules through `require`, which an ECMAScript module does not have. The URL
 * of the single file's main module is that of the executable, which `createRequire` accepts.
 */
const REQUIRE =
  'import{createRequire as __createRequire}from"node:module";const require=__createRequire(import.meta.url);';

const COMMON = {
  bundle: true,
  write: false,
  platform: "node",
  format: "esm",
  target: "node26",
  minifySyntax: true,
  // Names and lines stay, so that a stack trace can be read without a source map; it costs a hundredth of the file.
  minifyIdentifiers: false,
  minifyWhitespace: false,
  sourcemap: false,
  legalComments: "inline",
  logLevel: "warning",
  banner: { js: REQUIRE },
} as const satisfies BuildOptions;

/** The program. A lazy `import()` of one of its own modules stays lazy: the module runs when it is first asked for. */
export function mainBundle(info: BuildInfo): BuildOptions & { write: false } {
  return {
    ...COMMON,
    entryPoints: ["src/main.ts"],
    define: { AITBC_BUILD: JSON.stringify(info) },
    // Loaded from the cache at run time (src/app/native.ts).
    external: ["node-llama-cpp"],
    plugins: [englishOnly],
  };
}

/** The store's threads: a script, since a thread that is started from text runs one. */
export function storeThreadBundle(): BuildOptions & { write: false } {
  const { banner: _, ...common } = COMMON;
  return { ...common, entryPoints: ["src/app/store-thread.ts"], format: "cjs", plugins: [englishOnly] };
}

/** What `LlamaLibrary` in the miner's engines names: the rest of node-llama-cpp is left out. */
const LLAMA_ENTRY =
  'export { getLlama, resolveChatWrapper, GeneralChatWrapper, LlamaText, LlamaLogLevel, LlamaGrammarEvaluationState } from "node-llama-cpp";';

/**
 * node-llama-cpp in one file: it loads three times faster than its 500 modules, and needs no node_modules.
 */
export function llamaBundle(): BuildOptions & { write: false } {
  return {
    ...COMMON,
    stdin: { contents: LLAMA_ENTRY, resolveDir: import.meta.dirname, sourcefile: "llama-entry.js" },
    // Parts for Electron, other platforms and downloads, which the engine never asks for.
    external: ["electron", "@node-llama-cpp/*", "@reflink/*"],
    plugins: [withoutBindingTest],
  };
}

/**
 * node-llama-cpp first loads its native part in a process of its own, by forking `process.execPath`: in the
 * single file that is the whole program. The engine already is a process that may crash, so the test is left out.
 */
const withoutBindingTest: Plugin = {
  name: "without-binding-test",
  setup(build) {
    build.onLoad({ filter: /[\\/]testBindingBinary\.js$/ }, () => ({
      contents: "export async function testBindingBinary() { return true; }",
    }));
  },
};

/** zod's messages in fifty languages: the program speaks English, and every start would read the rest. */
const englishOnly: Plugin = {
  name: "english-only",
  setup(build) {
    build.onLoad({ filter: /[\\/]zod[\\/]v4[\\/]locales[\\/]index\.js$/ }, () => ({
      contents: 'export { default as en } from "./en.js";',
      resolveDir: `${import.meta.dirname}/node_modules/zod/v4/locales`,
    }));
  },
};
