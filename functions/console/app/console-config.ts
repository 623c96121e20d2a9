/** What the console's function says about this deployment. */
import { consoleConfigPath } from '../../../shared/contract/console.ts'

export interface ConsoleConfig {
  /** Null: requests need no token, as on a laptop. */
  signIn: { issuer: string; clientId: string; scopes: readonly string[] } | null
  version: string
}

/** @throws Error if the function does not answer */
export async function readConsoleConfig(): Promise<ConsoleConfig> {
  const response = await fetch(consoleConfigPath)
  if (!response.ok) throw new Error(`${consoleConfigPath} was answered with ${response.status}.`)
  return response.json()
}
