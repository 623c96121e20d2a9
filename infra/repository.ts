import { dirname, join } from 'node:path'

/** The folder that holds package.json, cdk.json and functions/. */
export const repositoryRoot = dirname(import.meta.dirname)

/** The module of `functions/<unit>` that exports `handler`. */
export function handlerPath(unit: string): string {
  return join(repositoryRoot, 'functions', unit, 'handler.ts')
}
