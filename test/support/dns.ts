/** DNS as data: a resolver that answers from tables, with the error codes of node:dns. */
import type { Resolver } from '../../shared/net/resolver.ts'

export interface Zone {
  /** Preference and exchange; an empty exchange is the root. */
  mx?: Record<string, [number, string][]>
  a?: Record<string, string[]>
  aaaa?: Record<string, string[]>
  /** Error code for every question about a name, such as `ESERVFAIL` or `ETIMEOUT`. */
  fail?: Record<string, string>
}

/** A name that stands in no table does not exist; one that stands in another table has no such records. */
export function fakeResolver({ mx = {}, a = {}, aaaa = {}, fail = {} }: Zone): Resolver {
  const known = new Set([mx, a, aaaa].flatMap((table) => Object.keys(table)))
  const answer = <T>(table: Record<string, T[]>, name: string): T[] => {
    const code = fail[name] ?? (known.has(name) ? 'ENODATA' : 'ENOTFOUND')
    const records = fail[name] ? undefined : table[name]
    if (records === undefined) throw Object.assign(new Error(`query ${code} ${name}`), { code })
    return records
  }
  return {
    resolveMx: async (name) => answer(mx, name).map(([priority, exchange]) => ({ priority, exchange })),
    resolve4: async (name) => answer(a, name),
    resolve6: async (name) => answer(aaaa, name),
  }
}
