/**
 * Destination NAT for the sockets of this thread. Without root, no process can bind ports 25 and 443. So the runner's zone
 * file names, for each address, the port that is connected to instead.
 */
import { type NetConnectOpts, Socket, type TcpNetConnectOpts } from 'node:net'

/**
 * Each key is an address or a name, which stands for its port 25, or `address:port`, or `[address]:port` for IPv6. Each value is
 * a port of the same address, or `address:port`.
 */
export type Translation = Readonly<Record<string, number | string>>

/** Returns the real destination of a connection. */
export function translate(rules: Translation, host: string, port: number): { host: string; port: number } {
  const key = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
  const target = rules[key] ?? (port === 25 ? rules[host] : undefined)
  if (target === undefined) return { host, port }
  if (typeof target === 'number') return { host, port: target }
  const [address = host, mapped] = target.split(':')
  return { host: address, port: Number(mapped) }
}

/** Applies the rules to every new socket of this thread, including TLS. */
export function installTranslation(rules: Translation): void {
  const connect = Socket.prototype.connect as (...args: unknown[]) => Socket
  Socket.prototype.connect = function (this: Socket, ...args: unknown[]) {
    return connect.apply(this, rewrite(rules, args))
  } as typeof Socket.prototype.connect
}

/** `connect` takes (options, listener), (port, host, listener), or Node's internal array of normalised arguments. */
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
