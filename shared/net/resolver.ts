/** The DNS questions that routing asks. Answers and error codes are those of node:dns (c-ares). */
import { Resolver as DnsResolver } from 'node:dns/promises'

export interface Resolver {
  resolveMx(name: string): Promise<{ exchange: string; priority: number }[]>
  resolve4(name: string): Promise<string[]>
  resolve6(name: string): Promise<string[]>
}

/** @param servers `address[:port]`; none means those of the system */
export function createResolver(servers: readonly string[]): Resolver {
  const resolver = new DnsResolver({ timeout: 5_000, tries: 2 })
  if (servers.length > 0) resolver.setServers(servers)
  return resolver
}
