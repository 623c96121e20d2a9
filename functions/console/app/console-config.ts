/** What the console's function says about this deployment. */
import { consoleConfigPath } from '../../../shared/contract/console.ts'
import { readJson, toApiError } from './api/api-error.ts'

export interface ConsoleConfig {
  /** Null: requests need no token, as on a laptop. */
  signIn: {
    issuer: string
    clientId: string
    scopes: readonly string[]
    /** From the person's authentication at the provider until it is demanded again. */
    sessionMinutes: number
  } | null
  version: string
}

/** @throws Error if the function does not answer, or a proxy answers in its place */
export async function readConsoleConfig(): Promise<ConsoleConfig> {
  const response = await fetch(consoleConfigPath).catch(() => {
    throw new Error('The console cannot be reached. Check your connection, then try again.')
  })
  if (!response.ok) throw await toApiError(response)
  const config = await readJson(response)
  if (isConfig(config)) return config
  throw new Error('The settings of the console were changed on the way. Try again.')
}

const isConfig = (value: unknown): value is ConsoleConfig =>
  typeof value === 'object' &&
  value !== null &&
  'signIn' in value &&
  (value.signIn === null ||
    (typeof value.signIn === 'object' && 'issuer' in value.signIn && 'clientId' in value.signIn))
