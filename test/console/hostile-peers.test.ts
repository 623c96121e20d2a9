/** Servers and clients that choose their replies and certificates to harm who reads them, through the whole gateway. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { UnknownCertificateList } from '../../functions/console/app/api/types.ts'
import {
  type ConsolePage,
  type ConsoleTest,
  expandAll,
  skip,
  startConsole,
  visit,
  whenRead,
} from '../support/console.ts'
import { findings } from '../support/console-findings.ts'
import { type HostileServer, type ServerScript, startHostileServer } from '../support/hostile-server.ts'
import { Api, messageIdIn, sendMessage, waitForResult } from '../support/local/runner.ts'
import { createPki, type Pki } from '../support/pki.ts'

const markup = '<img src=x onerror=alert(1)><script>alert(1)</script>'
const hidden = '\u202Egnp.exe\u2066\u200B\u0007\u001B[31m'
/** The name in a subject, escaped for RFC 4514. */
const hostileName = `${markup}${hidden}`.replaceAll(/["+,;<>=#\\]/g, '\\$&')
/** UTF-8, as a server would send it. */
const octets = (text: string): string => Buffer.from(text).toString('latin1')
const hostileText = octets(`${markup}${hidden}`)
const linesOf = (code: string, count: number): string =>
  [
    ...Array.from({ length: count }, (_, index) => `${code}-${index} ${hostileText}`),
    `${code} ${'W'.repeat(400)} ${hostileText}`,
  ].join('\r\n')

const scripts: Readonly<Record<string, ServerScript>> = {
  deferring: {
    greeting: linesOf('220', 3),
    keywords: ['STARTTLS', `X-${hostileText}`, 'X'.repeat(400)],
    mail: linesOf('451', 40),
  },
  refusing: { mail: linesOf('550', 1) },
}

describe('hostile peers', { skip }, () => {
  let console: ConsoleTest
  let opened: ConsolePage
  let api: Api
  let authority: Pki
  const servers: HostileServer[] = []
  /** The ids of the messages to each server. */
  const messages: Record<string, string> = {}

  const send = (from: string, to: string, identity?: Parameters<typeof sendMessage>[4]) =>
    sendMessage(
      console.runner.endpoints,
      from,
      to,
      `From: <${from}>\r\nSubject: hello\r\n\r\nHello\r\n`,
      identity,
    )

  before(async () => {
    console = await startConsole(['--no-demo'])
    api = new Api(console.runner.endpoints)
    authority = await createPki(hostileName)
    await api.call('PUT', '/accepted-domains/ours.example', {})
    await api.create('inbound', {
      name: 'Our server',
      connectorType: 'OnPremises',
      senderDomains: ['ours.example'],
      senderIpAddresses: ['127.0.0.1'],
      requireTls: false,
    })
    const identity = await authority.issue({
      names: [`${markup}${hidden}.hostile.example`],
      commonName: hostileName,
    })
    for (const [name, script] of Object.entries(scripts)) {
      const tls = { cert: identity.cert, key: identity.key }
      const server = await startHostileServer(() => ({ ...script, tls }))
      servers.push(server)
      await api.create('outbound', {
        name: `To ${name}`,
        connectorType: 'Partner',
        recipientDomains: [`${name}.example`],
        route: 'SmartHosts',
        smartHosts: [{ host: '127.0.0.1', port: server.port }],
        tlsSettings: 'EncryptionOnly',
      })
      // The ingress may still have the connectors of a moment ago.
      const reply = await waitForResult(async () => {
        const answer = await send('ann@ours.example', `bob@${name}.example`).catch(() => '')
        return answer.startsWith('250') ? answer : null
      })
      messages[name] = messageIdIn(reply)
    }
    await api.settled(messages.deferring ?? '', ['Deferred'])
    await api.settled(messages.refusing ?? '', ['Bounced'])
    for (const id of Object.values(messages))
      await waitForResult(() => api.call('GET', `/messages/${id}/events`).catch(() => null))
    opened = await console.open('/none', { waitUntil: 'commit' })
    await opened.page.getByText('There is no such page').waitFor()
  })
  after(async () => {
    await console?.close()
    for (const server of servers) await server.stop()
  })

  /** Opens a view, and fails unless each text of the peers is only a text, on wide and on narrow screens. */
  async function assertHarmless(view: string, text: RegExp): Promise<void> {
    const { page, faults, assertNoFaults } = opened
    faults.length = 0
    await page.setViewportSize({ width: 1280, height: 900 })
    await visit(page, view)
    await whenRead(page)
    await expandAll(page)
    for (const width of [1280, 390]) {
      await page.setViewportSize({ width, height: 900 })
      await whenRead(page)
      assert.deepEqual(await page.evaluate(findings), [], `${width} pixels`)
    }
    assert.match((await page.locator('main').textContent()) ?? '', text)
    assertNoFaults()
  }

  const img = /<img src=x/

  test('a reply of many lines that defers mail', async () => {
    await assertHarmless(`/messages/${messages.deferring}`, img)
    await assertHarmless('/queues', /deferring\.example/)
  })

  test('a reply that refuses mail', async () => {
    await assertHarmless(`/messages/${messages.refusing}`, img)
    await assertHarmless('/messages', img)
    await assertHarmless('/', /Overview/)
  })

  test('a certificate of a server whose names are markup', async () => {
    await waitForResult(async () => {
      const { items } = await api.call<{ items: unknown[] }>('GET', '/certificates/observed')
      return items.length > 0 || null
    })
    await assertHarmless('/certificates', img)
    await assertHarmless('/partners/deferring.example', /To deferring/)
  })

  test('an unknown certificate of a client whose subject is markup', async () => {
    await api.create('inbound', {
      name: 'From contoso',
      connectorType: 'Partner',
      senderDomains: ['contoso.example'],
      restrictDomainsToCertificate: true,
      tlsSenderCertificateNames: ['mail.contoso.example'],
    })
    const identity = await authority.issue({
      names: [`${markup}${hidden}.contoso.example`],
      commonName: hostileName,
    })
    const { id } = await waitForResult(async () => {
      await send('a@contoso.example', 'ann@ours.example', identity).catch(() => null)
      const { items } = await api.call<UnknownCertificateList>('GET', '/certificates/unknown')
      return items[0] ?? null
    })
    await assertHarmless('/unknown-certificates', img)
    await assertHarmless(`/unknown-certificates/${id}`, img)
    await waitForResult(async () => {
      const { items } = await api.call<{ items: unknown[] }>('GET', '/messages?state=Rejected')
      return items.length > 0 || null
    })
    await assertHarmless('/messages?state=Rejected', /contoso/)
  })
})
