/** Tests MTA-STS policies of other domains (RFC 8461) through the synthesised stack. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import type { SecureContext } from 'node:tls'
import { createSecureContext } from 'node:tls'
import { installTranslation } from '../../infra/local/lambda/nat.ts'
import type { OutboundValidation } from '../../shared/connectors/validation.ts'
import { mailflow } from '../support/cli/mailflow.ts'
import {
  Api,
  launchTrusting,
  messageIdIn,
  type RunnerProcess,
  sendMessage,
  startRunner,
} from '../support/local/runner.ts'
import { createPki, type Identity, selfSigned } from '../support/pki.ts'
import { policyText, trust } from '../support/policy-host.ts'
import { type Partner, startPartner } from '../support/smtp-partner.ts'

const domains = ['listed', 'unlisted', 'untrusted', 'tested', 'missing'] as const
type Name = (typeof domains)[number]

/** The policy that each policy host serves; null means 404. */
const policies: Record<Name, string | null> = {
  listed: policyText({ mx: ['mx.listed.example'] }),
  unlisted: policyText({ mx: ['mx.elsewhere.example'] }),
  untrusted: policyText({ mx: ['*.untrusted.example'] }),
  tested: policyText({ mx: ['mx.elsewhere.example'], mode: 'testing' }),
  missing: null,
}

const partners = {} as Record<Name, Partner>
const contexts: Record<string, SecureContext> = {}
let web: Server
let requestedHosts: string[] = []
let runner: RunnerProcess
let api: Api
let ourServer: Identity
let authority: string

before(
  async () => {
    const pki = await createPki()
    authority = pki.ca
    ourServer = await pki.issue({ names: ['mailbox.ours.example'] })
    for (const name of domains) {
      const names = [`mx.${name}.example`]
      partners[name] = await startPartner({
        tls: name === 'untrusted' ? await selfSigned({ names }) : await pki.issue({ names }),
      })
      contexts[`mta-sts.${name}.example`] = createSecureContext(
        await pki.issue({ names: [`mta-sts.${name}.example`] }),
      )
    }
    web = createServer({ SNICallback: (name, use) => use(null, contexts[name]) }, (request, response) => {
      const name = request.headers.host?.split('.')[1] as Name
      requestedHosts.push(name)
      response.writeHead(policies[name] === null ? 404 : 200, { 'Content-Type': 'text/plain' })
      response.end(policies[name])
    })
    await once(web.listen(0, '127.0.0.1'), 'listening')
    runner = await startRunner(zone(), ['--no-demo'], launchTrusting(pki.ca))
    api = new Api(runner.endpoints)
    await api.call('PUT', '/accepted-domains/ours.example', {})
    await api.create('inbound', {
      name: 'our server',
      connectorType: 'OnPremises',
      senderDomains: ['ours.example'],
      tlsSenderCertificateNames: ['mailbox.ours.example'],
      certificateAuthorities: [pki.ca],
    })
  },
  { timeout: 120_000 },
)

after(async () => {
  assert.equal(await runner?.stop(), 0, 'SIGTERM is a clean stop')
  web.closeAllConnections()
  web.close()
  await Promise.all(Object.values(partners).map((partner) => partner.stop()))
})

function zone() {
  return {
    names: Object.fromEntries(
      domains.flatMap((name, index) => [
        [`${name}.example`, { MX: [[10, `mx.${name}.example`]] }],
        [`mx.${name}.example`, { A: [`127.0.0.${11 + index}`] }],
        [`_mta-sts.${name}.example`, { TXT: ['v=STSv1; id=20261125;'] }],
        [`mta-sts.${name}.example`, { A: ['127.0.0.80'] }],
      ]),
    ),
    ports: {
      '127.0.0.80:443': `127.0.0.1:${(web.address() as AddressInfo).port}`,
      ...Object.fromEntries(
        domains.map((name, index) => [`127.0.0.${11 + index}`, `127.0.0.1:${partners[name].port}`]),
      ),
    },
  }
}

async function sendTo(name: Name) {
  const to = `bob@${name}.example`
  const content = `Subject: hello\r\nTo: <${to}>\r\n\r\nThe secret is 4711.\r\n`
  const trace = await api.settled(
    messageIdIn(await sendMessage(runner.endpoints, 'ann@ours.example', to, content, ourServer)),
  )
  const [recipient] = trace.recipients
  const attempt = recipient?.attempts.at(-1)
  return { state: recipient?.state, attempt, received: partners[name].received.length }
}

test('mail to a domain whose MTA-STS policy enforces and lists the MX host is sent over verified TLS', async () => {
  const { state, attempt, received } = await sendTo('listed')
  assert.equal(state, 'Delivered')
  assert.equal(attempt?.tls?.verified, true)
  assert.equal(received, 1)
  assert.ok(!partners.listed.wire().includes('4711'))
})

test('mail to a domain whose MTA-STS policy enforces and does not list the MX host is deferred without a connection', async () => {
  const { state, attempt } = await sendTo('unlisted')
  assert.equal(state, 'Deferred')
  assert.match(attempt?.reply ?? '', /^451 4\.4\.8 mx\.unlisted\.example is not among/)
  assert.equal(partners.unlisted.connections(), 0)
})

test('mail to a domain whose MTA-STS policy enforces and whose MX host has an untrusted certificate is deferred', async () => {
  const { state, attempt, received } = await sendTo('untrusted')
  assert.equal(state, 'Deferred')
  assert.match(attempt?.reply ?? '', /^451 4\.7\.5 MTA-STS: /)
  assert.equal(received, 0)
})

test('mail to a domain whose MTA-STS policy in mode testing does not list the MX host, and to a domain without a policy, is delivered', async () => {
  for (const name of ['tested', 'missing'] as const) {
    const { state, received } = await sendTo(name)
    assert.equal(state, 'Delivered', name)
    assert.equal(received, 1, name)
  }
})

test('a validation fails for an MX host that the MTA-STS policy does not list, and uses the cached policy', async () => {
  requestedHosts = []
  const id = await api.create('outbound', {
    name: 'to unlisted',
    connectorType: 'Partner',
    recipientDomains: ['unlisted.example'],
  })
  const validation = await api.call<OutboundValidation>('POST', `/outbound-connectors/${id}/validate`)
  assert.equal(validation.succeeded, false)
  assert.ok(
    validation.steps.some(({ succeeded, detail }) => !succeeded && /4\.4\.8/.test(detail)),
    JSON.stringify(validation.steps),
  )
  assert.deepEqual(requestedHosts, [])
})

test('`mailflow dns` shows for the runner which records of a domain are OK, missing or different', async () => {
  trust(authority)
  installTranslation({ '127.0.0.80:443': `127.0.0.1:${(web.address() as AddressInfo).port}` })
  const { api: gateway, dns } = runner.endpoints
  const findPolicy = (domain: string) =>
    mailflow(['dns', domain, '--host', `mx.${domain}`, '--dns-server', dns], {
      env: { MAILFLOW_API: gateway },
    })
  const listed = await findPolicy('listed.example')
  assert.equal(listed.status, 3, listed.err)
  assert.match(listed.out, /^ {2}OK +MX: listed\.example$/m)
  assert.match(listed.out, /^ {2}OK +MTA-STS policy: https:\/\/mta-sts\.listed\.example/m)
  assert.match(listed.out, /^ {2}WARN +Accepted domain: listed\.example$/m)
  assert.match(listed.out, /^ {2}MISSING +TLS-RPT: _smtp\._tls\.listed\.example$/m)
  const unlisted = await findPolicy('unlisted.example')
  assert.match(unlisted.out, /^ {2}DIFFERENT +MTA-STS policy/m)
  assert.match(unlisted.out, /The policy does not list mx\.unlisted\.example/)
})
