/** Each kind of chain, from a client and from a server, for own authorities and public roots, with TLS 1.2 and 1.3. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { resultAsClient, resultAsServer } from './handshakes.ts'
import { type Cell, kinds } from './kinds.ts'

describe('a chain with', () => {
  for (const { name, make, result, cells = {}, isTrustedIfExplained = false } of kinds)
    it(`${name} is: ${result}`, async () => {
      const chain = await make()
      const expected: Record<string, string> = {}
      const found: Record<string, string> = {}
      for (const trust of ['own', 'public'] as const)
        for (const version of ['1.2', '1.3'] as const) {
          const setup = { trust, version: `TLSv${version}` } as const
          const { result: resultOfClient, byPublicRoots } = await resultAsClient(chain, setup)
          if (byPublicRoots !== null) {
            const { trusted, predicted } = byPublicRoots
            assert.equal(predicted, trusted || (trust === 'public' && isTrustedIfExplained), 'explain')
          }
          for (const [cell, actual] of [
            [`${trust} in`, resultOfClient],
            [`${trust} out`, await resultAsServer(chain, setup)],
          ] satisfies [Cell, string][]) {
            found[`${cell} ${version}`] = actual
            expected[`${cell} ${version}`] = cells[`${cell} ${version}`] ?? cells[cell] ?? result
          }
        }
      assert.deepEqual(found, expected)
    })
})
