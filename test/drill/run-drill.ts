/**
 * The restore drill: a local stack with connectors and waiting mail is destroyed with its queues, and a new stack is
 * restored from the exports of the first. On AWS, `cdk import` replaces the import of tables and content.
 */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { mailflow } from '../support/cli/mailflow.ts'
import { Api, type RunnerProcess, startRunner } from '../support/local/runner.ts'
import { type Comparison, compareEntries, compareStates, type GatewayState } from './compare.ts'
import { exportData, importData } from './exports.ts'
import { readQuietState, readState } from './gateway-state.ts'
import {
  configure,
  expectedMessages,
  holdingConnector,
  type MailServers,
  receivedMessages,
  sendMessages,
  startMailServers,
} from './mail.ts'
import { waitForEmptyQueues } from './queues.ts'

export type Log = (step: string) => void

/** What is left of the first stack: its exports, and what it showed. */
export interface Remains {
  readonly folder: string
  readonly before: GatewayState
  readonly ids: readonly string[]
  readonly servers: MailServers
}

/** Fills a stack, exports it while it runs, and destroys it. */
export async function exportAndDestroy(folder: string, log: Log): Promise<Remains> {
  const servers = await startMailServers()
  log('Starting a stack, creating connectors, sending mail.')
  const runner = await startRunner({ names: {} })
  try {
    const api = new Api(runner.endpoints)
    await configure(api, servers)
    const ids = await sendMessages(runner.endpoints, api)
    const before = await readQuietState(api)
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'connectors.yaml'), await command(runner, 'connectors', 'export'))
    await exportData(runner.endpoints, folder)
    log('Exported connectors, tables and content. Destroying the stack with its queues.')
    return { folder, before, ids, servers }
  } catch (error) {
    await servers.stop()
    throw error
  } finally {
    await runner.stop()
    assert.ok(!existsSync(runner.endpoints.logs), 'nothing of the stack is left')
  }
}

/**
 * Restores a new stack from the exports, and compares. If nothing differs, removes the causes for which mail waits,
 * retries all mail, and compares what the mail servers received.
 */
export async function restore({ folder, before, ids, servers }: Remains, log: Log): Promise<Comparison[]> {
  log('Starting an empty stack, importing the exports.')
  const runner = await startRunner({ names: {} })
  try {
    const api = new Api(runner.endpoints)
    const { 'message traces': messages, 'outbound connectors': connectors } = await readState(api)
    assert.deepEqual([messages, connectors], [{}, {}], 'the new stack is empty')
    await importData(runner.endpoints, folder)
    const comparisons = [...compareStates(before, await readState(api)), await compareFile(runner, folder)]
    if (comparisons.some(({ differences }) => differences.length > 0)) return comparisons
    log('Restored. Removing the causes, retrying all mail.')
    servers.comeUp()
    await command(runner, 'connectors', 'set', holdingConnector, 'requireTls=false', '--yes')
    log(`retry --all: ${(await command(runner, 'retry', '--all')).trim()}`)
    // A repeated request must not deliver a second copy.
    await command(runner, 'retry', '--all')
    for (const id of ids) await api.settled(id, ['Delivered', 'Bounced'])
    await waitForEmptyQueues(runner.endpoints)
    return [...comparisons, compareEntries('delivered copies', expectedMessages(), receivedMessages(servers))]
  } finally {
    await runner.stop()
  }
}

/** `connectors apply --dry-run` exits with 3 when the file differs from the gateway. */
async function compareFile({ endpoints }: RunnerProcess, folder: string): Promise<Comparison> {
  const args = ['connectors', 'apply', '-f', join(folder, 'connectors.yaml'), '--prune', '--dry-run']
  const { status, out, err } = await mailflow(args, { env: { MAILFLOW_API: endpoints.api } })
  const differences = status === 0 ? [] : [`exit status ${status}\n${out}${err}`]
  return { subject: 'connectors.yaml', before: 1, after: 1, differences }
}

async function command({ endpoints }: RunnerProcess, ...args: string[]): Promise<string> {
  const { status, out, err } = await mailflow(args, { env: { MAILFLOW_API: endpoints.api } })
  if (status !== 0) throw new Error(`mailflow ${args.join(' ')} ended with ${status}: ${err}`)
  return out
}
