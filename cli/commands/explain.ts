/** `explain`: shows the decision about a message that is not sent, and its reason. */
import * as z from 'zod'
import { certificatesIn } from '../../shared/tls/pem.ts'
import { parseResponse } from '../api/parse-response.ts'
import { defineCommand, type Io, jsonOption } from '../command.ts'
import { CommandError, exitStatus, UsageError } from '../command-error.ts'
import { readText } from '../input/read-file.ts'
import { jsonText } from '../text/format.ts'
import { Explanation, explanationText } from '../trace/explanation.ts'

const protocols = /^TLSv1\.[23]$/

export const explain = defineCommand({
  requiredOptions: '--from ADDRESS --to ADDRESS --ip ADDRESS',
  usesApi: true,
  options: {
    from: {
      type: 'string',
      value: 'ADDRESS',
      description: 'the sender (reverse path); <> is the empty reverse path of a DSN',
    },
    to: { type: 'string', multiple: true, value: 'ADDRESS', description: 'a recipient; may be repeated' },
    ip: { type: 'string', value: 'ADDRESS', description: 'the IP address of the client' },
    tls: {
      type: 'string',
      value: 'TLSv1.2|TLSv1.3',
      // The command takes no positional arguments, so a next argument without a leading dash is the version.
      optional: /^[^-]/,
      description: 'the client uses this version of TLS (--tls alone: TLSv1.3)',
    },
    certificate: {
      type: 'string',
      value: 'FILE.pem',
      description: 'the client presents this certificate and chain; implies --tls',
    },
    'tenant-id': {
      type: 'string',
      value: 'ID',
      description: 'the message shows this tenant of Exchange Online (X-MS-Exchange-CrossTenant-Id)',
    },
    'originator-org': {
      type: 'string',
      value: 'DOMAIN',
      description: 'the message shows this organization of Exchange Online (X-OriginatorOrg)',
    },
    dmarc: {
      type: 'string',
      value: 'RESULT',
      description: 'pass, fail, none, temperror or permerror: the result of DMARC',
    },
    'header-from': {
      type: 'string',
      value: 'DOMAIN',
      description: 'the domain of From: for --dmarc (default: that of --from)',
    },
    ...jsonOption,
  },
  async run({ values, io, api }) {
    const { from, to, ip, tls, certificate } = values
    if (from === undefined || to.length === 0 || ip === undefined)
      throw new UsageError('explain needs --from, --to and --ip')
    const response = await api.post(z.unknown(), '/explain', {
      mailFrom: from === '<>' ? '' : from,
      rcptTo: to,
      ip,
      tls: await tlsParameters(tls, certificate, io),
      ...tenantParameters(values['tenant-id'], values['originator-org']),
      ...dmarcParameters(values.dmarc, values['header-from'], from),
    })
    io.out(
      values.json
        ? jsonText(response)
        : `${explanationText(parseResponse(Explanation, response, 'explanation'))}\n`,
    )
    return exitStatus.ok
  },
})

function tenantParameters(tenantId: string | undefined, organization: string | undefined) {
  if (tenantId === undefined && organization === undefined) return {}
  return {
    exchangeOnline: {
      tenantIds: tenantId === undefined ? [] : [tenantId],
      originatorOrganizations: organization === undefined ? [] : [organization],
    },
  }
}

const dmarcResults = ['pass', 'fail', 'none', 'temperror', 'permerror']

function dmarcParameters(result: string | undefined, headerFrom: string | undefined, from: string) {
  if (result === undefined) {
    if (headerFrom !== undefined) throw new UsageError('--header-from needs --dmarc')
    return {}
  }
  if (!dmarcResults.includes(result))
    throw new UsageError(`--dmarc ${result}: not a result; use ${dmarcResults.join(', ')}`)
  return { dmarc: { result, fromDomain: headerFrom ?? from.slice(from.lastIndexOf('@') + 1) } }
}

async function tlsParameters(tls: string | undefined, certificate: string | undefined, io: Io) {
  if (tls === undefined && certificate === undefined) return { negotiated: false }
  if (tls && !protocols.test(tls))
    throw new UsageError(`--tls ${tls}: not a supported version; use TLSv1.2 or TLSv1.3`)
  return {
    negotiated: true,
    ...(tls && { protocol: tls }),
    ...(certificate !== undefined && { clientCertificate: await readClientCertificates(certificate, io) }),
  }
}

/** Returns only the certificates: the file may also contain a private key, which must not be sent. */
async function readClientCertificates(file: string, io: Io): Promise<string> {
  const { text, name } = await readText(file, io)
  const blocks = certificatesIn(text)
  if (blocks.length === 0) throw new CommandError(`${name} contains no PEM certificate`)
  return `${blocks.join('\n')}\n`
}
