/** Tests GET /accepted-domains/{domain}/conformance: MX hosts that are measured or not, and DNS records. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { after, before, describe, it } from 'node:test'
import type { Logger } from '@aws-lambda-powertools/logger'
import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import { createValidationApi } from '../../../functions/validate-connector/api.ts'
import { DomainConformance } from '../../../shared/conformance/domain-conformance.ts'
import type { AcceptedDomain } from '../../../shared/connectors/schema.ts'
import type { Resolver } from '../../../shared/net/resolver.ts'
import { iamAuthorizer } from '../../support/api-client.ts'
import { createIdentity } from '../../support/cli/check.ts'
import { fakeResolver, type Zone } from '../../support/dns.ts'
import { listenSilently } from '../../support/listen.ts'
import { type Partner, type PartnerOptions, startPartner } from '../../support/smtp-partner.ts'

const domain = 'ours.example'
const gateway = 'gateway.ours.invalid'
const partnerName = 'mx.partner.example'

const identity = await createIdentity()
const tls = { cert: identity.cert, key: identity.key }

const zoneOf = (mx: string, more: Zone = {}): Zone => ({
  ...more,
  mx: { [domain]: [[10, mx]] },
  a: { [mx]: ['127.0.0.1'] },
})

interface Setup {
  zone?: Zone
  resolver?: Resolver
  smtpPort?: number
  path?: string
  privateNetworks?: string[]
  totalMs?: number
  now?: () => number
}

function createApi({ zone = {}, smtpPort = 1, privateNetworks = ['127.0.0.0/8'], ...setup }: Setup) {
  const api = createValidationApi({
    outbound: { get: assert.fail, saveValidation: assert.fail },
    acceptedDomains: {
      get: async (name) => (name === domain ? ({ domain } as AcceptedDomain) : null),
      page: assert.fail,
    },
    validate: assert.fail,
    published: { read: async () => null },
    resolver: setup.resolver ?? fakeResolver(zone),
    privateNetworks,
    hostname: gateway,
    roles: null,
    logger: { info: () => {}, error: assert.fail } as unknown as Logger,
    smtpPort,
    ...(setup.totalMs !== undefined && { totalMs: setup.totalMs }),
    ...(setup.now && { now: setup.now }),
  })
  return async (path = domain) => {
    const result = await api({
      version: '2.0',
      routeKey: 'GET /accepted-domains/{domain}/conformance',
      rawPath: `/accepted-domains/${path}/conformance`,
      rawQueryString: '',
      headers: {},
      requestContext: { requestId: '1', http: { method: 'GET' }, authorizer: iamAuthorizer },
      isBase64Encoded: false,
    } as unknown as APIGatewayProxyEventV2)
    return { status: result.statusCode, body: JSON.parse(result.body ?? 'null') }
  }
}

async function read(setup: Setup) {
  const { status, body } = await createApi(setup)()
  assert.equal(status, 200, JSON.stringify(body))
  const conformance = DomainConformance.parse(body)
  const of = (id: string) => {
    const found = conformance.criteria.find((criterion) => criterion.id === id)
    return found ? `${found.verdict} ${found.source}: ${found.seen}` : 'none'
  }
  return { ...conformance, of }
}

const withPartner = async <T>(options: PartnerOptions, use: (partner: Partner) => Promise<T>): Promise<T> => {
  const partner = await startPartner(options)
  try {
    return await use(partner)
  } finally {
    await partner.stop()
  }
}

/** Writes as fast as the other side reads. */
function writeWithoutEnd(socket: Socket, data: string | Buffer): void {
  if (socket.listenerCount('drain') > 0) return
  const write = () => {
    while (!socket.destroyed && socket.write(data));
  }
  socket.on('drain', write)
  write()
}

describe('GET /accepted-domains/{domain}/conformance', () => {
  it('measures the MX host by about thirty connections', () =>
    withPartner({ tls }, async (partner) => {
      const { hosts, of, detail } = await read({ zone: zoneOf(partnerName), smtpPort: partner.port })
      assert.deepEqual(
        hosts.map(({ host, isGateway, state }) => [host, isGateway, state]),
        [[partnerName, false, 'Measured']],
      )
      assert.equal(detail, null)
      assert.equal(of('starttls'), 'PASS Handshakes: offered')
      assert.equal(of('tls13'), 'PASS Handshakes: TLSv1.2, TLSv1.3')
      assert.equal(of('certificate-name'), 'PASS Handshakes: has the name')
      assert.equal(of('certificate-trust'), 'WARN Handshakes: not trusted')
      assert.ok(partner.connections() > 15 && partner.connections() < 60, String(partner.connections()))
    }))

  it('measures a host once a minute', () =>
    withPartner({ tls }, async (partner) => {
      let now = Date.parse('2026-02-03T11:00:00Z')
      const call = createApi({
        zone: zoneOf(partnerName),
        smtpPort: partner.port,
        now: () => now,
      })
      const first = (await call()).body
      const connections = partner.connections()
      now += 30_000
      const second = (await call()).body
      assert.equal(partner.connections(), connections)
      assert.equal(second.hosts[0].measuredAt, first.hosts[0].measuredAt)
      assert.notEqual(second.checkedAt, first.checkedAt)
      now += 60_000
      await call()
      assert.ok(partner.connections() > connections)
    }))

  it('says that a host offers no TLS', () =>
    withPartner({}, async (partner) => {
      const { of, hosts } = await read({ zone: zoneOf(partnerName), smtpPort: partner.port })
      assert.equal(hosts[0]?.state, 'Measured')
      assert.match(of('starttls'), /^FAIL Handshakes/)
      assert.equal(of('tls13'), 'none')
    }))

  it('says why a host was not measured: a refused connection', async () => {
    const { hosts, of } = await read({ zone: zoneOf(partnerName) })
    assert.equal(hosts[0]?.state, 'NotMeasured')
    assert.match(hosts[0]?.detail ?? '', /No session at port 1 of mx\.partner\.example: .*ECONNREFUSED/)
    assert.match(of('starttls'), /^NOT MEASURED None: No session/)
    assert.match(of('certificate-key'), /^NOT MEASURED None: No session/)
  })

  it('connects to no private address that is not listed', () =>
    withPartner({ tls }, async (partner) => {
      const setup = { zone: zoneOf(partnerName), smtpPort: partner.port, privateNetworks: [] }
      const { hosts } = await read(setup)
      assert.match(hosts[0]?.detail ?? '', /no address that may be used/)
      assert.equal(partner.connections(), 0)
    }))

  it('takes what was recorded for this version when the gateway itself cannot be reached', async () => {
    const { hosts, of } = await read({ zone: zoneOf(gateway) })
    assert.deepEqual([hosts[0]?.isGateway, hosts[0]?.port, hosts[0]?.state], [true, 2525, 'NotMeasured'])
    assert.equal(of('tls13'), 'PASS Recorded: TLSv1.2, TLSv1.3')
    assert.match(of('certificate-key'), /^NOT MEASURED None/)
  })

  it('names the MX hosts beyond the third, and does not measure them', async () => {
    const mx = Array.from({ length: 5 }, (_, index): [number, string] => [
      index,
      `mx${index}.partner.example`,
    ])
    const { hosts, criteria } = await read({ zone: { mx: { [domain]: mx } } })
    assert.equal(hosts.length, 5)
    assert.match(hosts[4]?.detail ?? '', /Only the first 3/)
    assert.equal(new Set(criteria.flatMap(({ host }) => host ?? [])).size, 3)
  })

  it('compares the DNS records of the domain', async () => {
    const { of, detail } = await read({
      zone: {
        txt: {
          [domain]: ['v=spf1 include:amazonses.com ?all'],
          'amazonses.com': ['v=spf1 ip4:199.255.192.0/22 -all'],
          [`_dmarc.${domain}`]: ['v=DMARC1; p=reject; rua=mailto:dmarc@ours.example'],
          [`_smtp._tls.${domain}`]: ['v=TLSRPTv1; rua=mailto:tls@ours.example'],
        },
        secure: ['arpa'],
      },
    })
    assert.equal(detail, 'ours.example has no MX record')
    assert.match(of('spf'), /^FAIL Dns: v=spf1/)
    assert.match(of('dmarc'), /^PASS Dns: v=DMARC1; p=reject/)
    assert.match(of('tls-rpt'), /^PASS Dns/)
    assert.equal(of('mta-sts'), 'WARN Dns: no policy')
    assert.match(of('dkim'), /^FAIL Dns: No selector exists/)
    assert.match(of('dnssec'), /^FAIL Dns: Not signed/)
    assert.equal(of('dane-rollover'), 'NOT APPLICABLE Dns: no TLSA record')
    assert.match(of('rpki'), /^CUSTOMER None/)
  })

  it('has the TLS of deliveries as it was measured for this version, with a reason for each deviation', async () => {
    const { criteria } = await read({})
    const deliveries = criteria.filter(({ subject }) => subject === 'Deliveries')
    assert.ok(deliveries.length > 10)
    assert.ok(deliveries.every(({ source }) => source === 'Recorded'))
    const cbc = deliveries.find(({ id }) => id === 'client-suites-cbc')
    assert.match(cbc?.advice ?? '', /Without authenticated encryption/)
  })

  it('says that an MX record names an address in place of a host', async () => {
    const { detail } = await read({ zone: { mx: { [domain]: [[10, '192.0.2.1']] } } })
    assert.equal(detail, 'The MX records of ours.example name no valid host')
  })

  it('refuses a domain that is not accepted with 404, and sends no query', async () => {
    const resolver = fakeResolver({})
    const { status } = await createApi({ resolver })('other.example')
    assert.equal(status, 404)
    assert.deepEqual(resolver.queries, [])
  })

  describe('with a host or name servers that do not answer', () => {
    let silent: Awaited<ReturnType<typeof listenSilently>>
    before(async () => {
      silent = await listenSilently()
    })
    after(() => silent.stop())

    it('ends in the given time, and says that the host did not answer', async () => {
      const { hosts } = await read({ zone: zoneOf(partnerName), smtpPort: silent.port, totalMs: 300 })
      assert.match(hosts[0]?.detail ?? '', /no answer/)
    })

    const longText = 'x'.repeat(65_000)
    const ehlo = '250-hostile\r\n250 STARTTLS\r\n'
    const hostile: Record<string, (socket: Socket, command: string) => void> = {
      'a banner without end': (socket) => writeWithoutEnd(socket, `220-${longText}\r\n`),
      'a banner, a character a moment': (socket) => {
        const timer = setInterval(() => socket.write('2'), 20)
        socket.once('close', () => clearInterval(timer))
      },
      'handshake octets without end': (socket, command) => {
        if (command === '') socket.write('220 hostile\r\n')
        else if (command.startsWith('EHLO')) socket.write(ehlo)
        else if (command.startsWith('STARTTLS')) socket.write('220 go\r\n')
        else
          writeWithoutEnd(
            socket,
            Buffer.concat([Buffer.from([22, 3, 3, 0xff, 0xff]), Buffer.alloc(0xffff, 1)]),
          )
      },
    }
    for (const [name, answer] of Object.entries(hostile))
      it(`ends in the given time, with ${name}`, async () => {
        const server = createServer((socket) => {
          socket.on('error', () => {})
          socket.on('data', (data) => answer(socket, data.toString('latin1')))
          answer(socket, '')
        })
        await once(server.listen(0, '127.0.0.1'), 'listening')
        const startedAt = performance.now()
        try {
          const { port } = server.address() as AddressInfo
          await read({ zone: zoneOf(partnerName), smtpPort: port, totalMs: 300 })
          const tookMs = performance.now() - startedAt
          assert.ok(tookMs < 5_000, `${tookMs} ms`)
        } finally {
          server.close()
        }
      })

    it('says that the records could not be checked', async () => {
      const resolver: Resolver = {
        query: async () => ({ kind: 'Failed', code: 'ETIMEOUT', bogus: false }),
      }
      const { of, detail } = await read({ resolver })
      assert.match(detail ?? '', /MX records of ours\.example failed \(ETIMEOUT\)/)
      for (const id of ['dnssec', 'dane', 'spf', 'dkim', 'dmarc', 'mta-sts', 'tls-rpt', 'ipv6', 'caa'])
        assert.match(of(id), /^NOT MEASURED None/, id)
    })
  })
})
