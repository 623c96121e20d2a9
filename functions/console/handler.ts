/** console: serves the page for administrators, without authentication. API Gateway, payload format 2.0. */
import { join } from 'node:path'
import { ConsoleEnvironment, readEnvironment, signInSettings } from '../../shared/contract/environment.ts'
import { softwareVersion } from '../../shared/contract/software-version.ts'
import { issuerOrigins } from './issuer-origins.ts'
import { readFiles } from './read-files.ts'
import { createConsole } from './serve.ts'

const signIn = signInSettings(readEnvironment(ConsoleEnvironment, process.env))

export const handler = createConsole({
  // The bundle has them beside its code (infra/console/bundle-console-files.ts).
  files: readFiles(join(import.meta.dirname, 'files')),
  signIn,
  signInOrigins: signIn === null ? async () => [] : issuerOrigins(signIn.issuer, Date.now),
  version: softwareVersion,
})
