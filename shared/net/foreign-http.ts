/**
 * A request to a URL that a stranger's certificate names: where revocation is asked, which is by HTTP in the clear (RFC
 * 5280 §4.2.1.13, RFC 6960 §A.1). The attack: the URL leads into our own network or to a metadata service, speaks to a
 * service that is no web server, or its server never ends. The defence: only public addresses, or those in networks the
 * deployment lists, and no port of the well-known ones but the web's; nothing is followed, and nothing secret is sent;
 * time and size are bounded. The limit: anybody on the way reads and changes what is said, so whoever asks must be able
 * to tell by a signature whether it is true.
 */
import { connect, isIP, type Socket } from 'node:net'
import { normaliseDomain } from '../mail/domain.ts'
import {
  askAnyAddress,
  type ForeignAnswer,
  type ForeignOptions,
  type ForeignRequest,
  guard,
  noAnswer,
} from './foreign-exchange.ts'
import { askForeign } from './foreign-https.ts'

const longestUrl = 2_048
const firstFreePort = 1_024

/**
 * Never throws. A URL of https is asked as askForeign does, on port 443 only.
 * @param asked what is asked of the URL
 */
export async function askUrl(
  options: ForeignOptions,
  url: string,
  asked: Omit<ForeignRequest, 'host' | 'path'>,
): Promise<ForeignAnswer> {
  const place = placeOf(url)
  if (typeof place === 'string') return noAnswer(place)
  const { host, path, port, secure } = place
  if (secure) return askForeign(options, { ...asked, host, path })
  return askAnyAddress(
    options,
    { ...asked, host, path },
    {
      open: (address, signal) => open(address, port, options.limits.silence, signal),
      endsWithConnection: true,
      ...(port === 80 ? {} : { port }),
    },
  )
}

interface Place {
  host: string
  port: number
  path: string
  secure: boolean
}

/** @returns what is wrong with the URL, or its parts */
function placeOf(text: string): Place | string {
  const url = text.length <= longestUrl ? URL.parse(text) : null
  if (!url) return 'not a URL'
  const { protocol, hostname, pathname, search } = url
  if (protocol !== 'http:' && protocol !== 'https:') return `${protocol.slice(0, 20)} is not asked`
  if (url.username || url.password) return 'a URL with a password is not asked'
  const address = hostname.replace(/^\[|\]$/g, '')
  const host = isIP(address) ? address : normaliseDomain(hostname)
  if (host === null) return 'a URL without a host name'
  const secure = protocol === 'https:'
  const usual = secure ? 443 : 80
  const port = url.port === '' ? usual : Number(url.port)
  if (port !== usual && (secure || port < firstFreePort)) return `port ${port} is not asked`
  return { host, port, path: `${pathname}${search}`, secure }
}

function open(address: string, port: number, silence: number, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port, timeout: silence })
    socket.once('connect', () => resolve(socket))
    guard(socket, silence, signal, reject)
  })
}
