/** One runner for all files of a process that need no options of their own, one file after the other. */
import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { Api, type Running, startRunner } from './runner.ts'

let users = 0
let started: Promise<Running> | undefined

/** For a file to say, when it is loaded, that it uses the runner: it runs until its last user has left. */
export function shareRunner(): { enter(): Promise<Running>; leave(): Promise<void> } {
  users += 1
  return {
    enter: () => {
      started ??= startRunner({ names: {} })
      return started
    },
    leave: async () => {
      const runner = await started
      users -= 1
      if (runner === undefined) return
      if (users > 0) {
        await clear(new Api(runner.endpoints))
        // The ingress may answer the next file's first session by connectors that it read up to a second before.
        await delay(1100)
        return
      }
      started = undefined
      assert.equal(await runner.stop(), 0, 'SIGTERM is a clean stop')
    },
  }
}

/** Removes connectors and accepted domains: the next file finds none, as after a start. */
async function clear(api: Api): Promise<void> {
  for (const path of ['inbound-connectors', 'outbound-connectors', 'accepted-domains']) {
    const { items } = await api.call<{ items: { id?: string; domain?: string }[] }>('GET', `/${path}`)
    for (const { id, domain } of items) await api.remove(`/${path}/${id ?? domain}`)
  }
}
