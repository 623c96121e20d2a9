/**
 * A laptop cannot bind ports 25 and 443, so connections to `address:25` go to where the zone says that address's mail
 * server listens, and others likewise: destination NAT rules, on this thread's sockets instead of in a router.
 */
import { type NetConnectOpts, Socket, type TcpNetConnectOpts } from 'node:net'

/**
 * Keys are addresses, which stand for their port 25, or `address:port`, an IPv6 address in brackets; values a port of
 * the same address or `address:port`.
 */
export type Translation = Readonly<Record<string, number | string>>

/** Where a connection to this host and port really goes. */
export function translate(rules: Translation, host: string, port: number): { host: string; port: number } {
  const place = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
  const target = rules[place] ?? (port === 25 ? rules[host] : undefined)
  if (target === undefined) return { host, port }
  if (typeof target === 'number') return { host, port: target }
  const [address = host, mapped] = target.split(':')
  return { host: address, port: Number(mapped) }
}

/** Applies the rules to every socket this thread opens from now on, TLS ones included. */
export function installTranslation(rules: Translation): void {
  const connect = Socket.prototype.connect as (...args: unknown[]) => Socket
  Socket.prototype.connect = function (this: Socket, ...args: unknown[]) {
    return connect.apply(this, rewrite(rules, args))
  } as typeof Socket.prototype.connect
}

/** `connect` takes (options, listener), (port, host, listener), or Node's own array of already normalised ones. */
function rewrite(rules: Translation, args: unknown[]): unknown[] {
  const [first, second, ...rest] = args
  if (Array.isArray(first)) {
    first[0] = rewriteOptions(rules, first[0])
    return args
  }
  if (typeof first === 'object' && first !== null)
    return [rewriteOptions(rules, first as NetConnectOpts), second, ...rest]
  if (typeof second !== 'string') return args
  const { host, port } = translate(rules, second, Number(first))
  return [port, host, ...rest]
}

function rewriteOptions(rules: Translation, options: NetConnectOpts): NetConnectOpts {
  const { host, port } = options as TcpNetConnectOpts
  return host === undefined ? options : { ...options, ...translate(rules, host, Number(port)) }
}
