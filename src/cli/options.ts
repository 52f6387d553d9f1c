import { InvalidArgumentError } from "commander";
import type { FlagSetting } from "../config/layers.ts";
import type { OutputFormat } from "./format.ts";

/** The options that every command takes. Values stay text until the configuration checks them. */
export interface GlobalOptions {
  readonly url?: string;
  readonly apiKey?: string;
  readonly output?: OutputFormat;
  readonly verbose?: boolean;
  readonly debug?: boolean;
  readonly configFile?: string;
  readonly timeout?: string;
  readonly dataDir?: string;
}

/** Which setting an option sets, by the option's name in code. */
export type FlagMap = Readonly<Record<string, readonly [flag: string, key: string]>>;

const GLOBAL_FLAGS: FlagMap = {
  url: ["--url", "client.url"],
  apiKey: ["--api-key", "client.api_key"],
  timeout: ["--timeout", "client.timeout_seconds"],
  dataDir: ["--data-dir", "data_dir"],
};

/** The settings that were given on the command line. */
export function toFlagSettings(options: object, map: FlagMap = {}): FlagSetting[] {
  const flags = new Map(Object.entries({ ...GLOBAL_FLAGS, ...map }));
  return Object.entries(options).flatMap(([name, value]) => {
    const [flag, key] = flags.get(name) ?? [];
    return flag !== undefined && key !== undefined && typeof value === "string"
      ? [{ flag, key, text: value }]
      : [];
  });
}

/** Reads an option as a whole number within bounds. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}

/** Reads an option as a decimal number within bounds. */
export function decimal(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^-?\d+(\.\d+)?$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a number from ${min} to ${max}.`);
  };
}
