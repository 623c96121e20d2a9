/** Unknown certificates: an inbox, a journey for each remedy, and what strangers can do to the view. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Page } from 'playwright-core'
import type {
  InboundConnector,
  UnknownCertificate,
  UnknownCertificateList,
} from '../../functions/console/app/api/types.ts'
import { type ConsoleTest, readAgain, skip, startConsole } from '../support/console.ts'
import { sendMessage, waitForResult } from '../support/local/runner.ts'
import { createPki, fingerprintOf, type Identity, type Pki } from '../support/pki.ts'

describe('unknown certificates', { skip }, () => {
  let console: ConsoleTest
  let partners: Pki
  let strangers: Pki

  before(async () => {
    console = await startConsole()
    partners = await createPki('Partners CA')
    strangers = await createPki('Strangers CA')
  })
  after(() => console?.close())

  const send = (domain: string, identity: Identity) =>
    sendMessage(
      console.runner.endpoints,
      `a@${domain}`,
      'ann@ours.example',
      `From: <a@${domain}>\r\nSubject: hello\r\n\r\nHello\r\n`,
      identity,
    )
  const sendUntil = (domain: string, identity: Identity, code: string) =>
    waitForResult(async () => ((await send(domain, identity)).startsWith(code) ? code : null))

  const read = async <T>(path: string): Promise<T> => {
    const { status, body } = await console.api('GET', path)
    assert.equal(status, 200, path)
    return body
  }
  const readConnector = (id: string) => read<InboundConnector>(`/inbound-connectors/${id}`)

  /** Creates a connector, sends mail with the old certificate, then with others until they are listed. */
  async function partner(domain: string, onViolation: 'Bounce' | 'Defer') {
    const { body } = await console.api('POST', '/inbound-connectors', {
      name: `From ${domain}`,
      connectorType: 'Partner',
      senderDomains: [domain],
      onViolation,
      restrictDomainsToCertificate: true,
      tlsSenderCertificateNames: [`mail.${domain}`],
      certificateAuthorities: [partners.ca],
    })
    const { id } = body as InboundConnector
    const [old, renewed, otherIdentity] = await Promise.all([
      partners.issue({ names: [`mail.${domain}`] }),
      partners.issue({ names: [`mx1.${domain}`] }),
      strangers.issue({ names: ['stranger.example'] }),
    ])
    const wanted = onViolation === 'Bounce' ? '550' : '250'
    await sendUntil(domain, otherIdentity, wanted)
    await sendUntil(domain, old, '250')
    await waitForResult(async () => {
      const { items } = await read<{ items: unknown[] }>(`/certificates/observed?connector=${id}`)
      return items.length > 0 ? items : null
    })
    await sendUntil(domain, renewed, wanted)
    const entry = (identity: Identity) => async () => {
      const { items } = await read<UnknownCertificateList>(`/certificates/unknown?connector=${id}`)
      const found = items.find(({ presented }) => presented.fingerprint256 === fingerprintOf(identity))
      // The notice is recorded a moment after the certificate.
      return found?.effects.every(({ notices }) => notices !== null) ? found : null
    }
    const unknown = await waitForResult(entry(renewed))
    const other = await waitForResult(entry(otherIdentity))
    return { id, domain, old, renewed, otherIdentity, unknown, other }
  }

  const stateOf = async ({ id }: UnknownCertificate) =>
    (await read<UnknownCertificate>(`/certificates/unknown/${id}`)).state

  const choose = async (page: Page, act: string) => {
    await page.getByRole('button', { name: `${act}: next step` }).click()
    const confirmation = page.getByRole('dialog')
    await confirmation.getByText('Effect on mail').waitFor()
    return {
      confirmation,
      confirm: () => confirmation.getByRole('button', { name: act, exact: true }).click(),
    }
  }

  const verification =
    'Ask the partner by a way that you know from before (telephone), not by a reply to this mail.'

  test('without one says that no client presents any, and what would appear', async () => {
    const { page, assertNoFaults, assertAccessible } = await console.open('/unknown-certificates')
    await page.route('**/certificates/unknown*', (route) =>
      route.fulfill({ json: { items: [], nextCursor: null } }),
    )
    await readAgain(page)
    await page.getByText('No client presents an unknown certificate.').waitFor()
    await page.getByText('A certificate appears here when a client sends mail').waitFor()
    assertNoFaults()
    await assertAccessible()
  })

  test('leads from the navigation to the old and the new certificate side by side, and to the mail', async () => {
    const { id, domain, unknown, old, renewed } = await partner('contoso.example', 'Bounce')
    const { page, assertNoFaults } = await console.open('/')
    await page.getByRole('navigation').getByRole('link', { name: 'Unknown certificates' }).click()
    const trusted = page.getByRole('table', { name: `Certificates at From ${domain}` }).first()
    await trusted.getByRole('link', { name: `mx1.${domain}` }).click()
    await page.getByRole('heading', { level: 1, name: `Certificate at From ${domain}` }).waitFor()
    assert.ok(page.url().endsWith(`/unknown-certificates/${unknown.id}`))
    const compared = page.getByRole('table', { name: 'Accepted and presented certificate' })
    const row = (name: string) => compared.getByRole('row').filter({ hasText: name })
    await row('Issuer').getByText('Same', { exact: true }).waitFor()
    await row('Names').getByText('Different: 1 added, 1 missing').waitFor()
    await row('Fingerprint').getByText('Different', { exact: true }).waitFor()
    for (const identity of [old, renewed]) await compared.getByText(fingerprintOf(identity)).waitFor()
    const remedies = await page.getByRole('list').filter({ hasText: 'Add the fingerprint' }).textContent()
    const titles = ['Not theirs: dismiss', 'Hold the mail', 'Add the fingerprint', 'Add the name']
    const positions = titles.map((title) => remedies?.indexOf(title) ?? -1)
    assert.ok(!positions.includes(-1))
    assert.deepEqual(
      positions,
      [...positions].sort((a, b) => a - b),
    )
    await page.getByText('Admits only this certificate and its key, and not its renewal.').waitFor()
    const mail = page.getByRole('table', { name: 'Mail and notices' })
    await mail.getByText('1 notice').waitFor()
    await mail.getByText('The mail was refused.').waitFor()
    const link = await mail.getByRole('link', { name: 'Refused mail in the trace' }).getAttribute('href')
    assert.match(link ?? '', new RegExp(`^/console/messages\\?state=Rejected&connector=${id}&from=`))
    await mail.getByRole('link', { name: 'Refused mail in the trace' }).click()
    await page.getByRole('table').getByText(`a@${domain}`).first().waitFor()
    assertNoFaults()
  })

  test('adds the fingerprint: only then its mail is accepted, and the entry is resolved', async () => {
    const { id, domain, unknown, renewed } = await partner('fabrikam.example', 'Bounce')
    const { page, assertNoFaults } = await console.open(`/unknown-certificates/${unknown.id}`)
    const { confirmation, confirm } = await choose(page, 'Add the fingerprint')
    await confirmation.getByText(verification).waitFor()
    await confirmation.getByText('Mail that was refused is not here').waitFor()
    assert.deepEqual((await readConnector(id)).certificateFingerprints, [])
    await confirm()
    await page.getByText('The connector accepts the certificate now', { exact: true }).waitFor()
    await page.getByText('Resolved: the connector accepts the certificate now').waitFor()
    assert.deepEqual((await readConnector(id)).certificateFingerprints, [fingerprintOf(renewed)])
    assert.equal(await stateOf(unknown), 'Resolved')
    await sendUntil(domain, renewed, '250')
    const sibling = await partners.issue({ names: [`mx1.${domain}`] })
    assert.match(await send(domain, sibling), /^550 5\.7\.51 /)
    assertNoFaults()
  })

  test('adds the name, and decides about held mail at once', async () => {
    const { id, domain, unknown, renewed } = await partner('woodgrove.example', 'Defer')
    const { page, assertNoFaults } = await console.open(`/unknown-certificates/${unknown.id}`)
    await page.getByRole('link', { name: 'Held mail' }).waitFor()
    assert.equal(await page.getByRole('button', { name: 'Hold the mail: next step' }).count(), 0)
    const { confirmation, confirm } = await choose(page, 'Add the name')
    await confirmation.getByText(verification).waitFor()
    await confirmation.getByText('Mail that waits because of this certificate is delivered').waitFor()
    assert.equal(await confirmation.getByRole('checkbox').isChecked(), true)
    await confirm()
    await page.getByText(/^The mail of \d+ recipients? that waits is decided now\.$/).waitFor()
    assert.deepEqual((await readConnector(id)).tlsSenderCertificateNames, [`mail.${domain}`, `mx1.${domain}`])
    await waitForResult(async () => {
      const { items } = await read<{ items: { state?: string; recipients: { state: string }[] }[] }>(
        `/messages?sender=a@${domain}`,
      )
      const states = items.flatMap(({ recipients }) => recipients.map(({ state }) => state))
      // Mail with the other certificate waits on.
      return states.filter((state) => state === 'Delivered').length >= 2 && states.includes('Deferred')
        ? states
        : null
    })
    await sendUntil(domain, renewed, '250')
    await page.getByText('Resolved: the connector accepts the certificate now').waitFor()
    assertNoFaults()
  })

  test('holds the mail of the partner instead of refusing it', async () => {
    const { id, domain, unknown, renewed } = await partner('litware.example', 'Bounce')
    const { page, assertNoFaults } = await console.open(`/unknown-certificates/${unknown.id}`)
    const { confirmation, confirm } = await choose(page, 'Hold the mail')
    await confirmation.getByText('waits instead of being refused').waitFor()
    await confirm()
    await page.getByText('Mail that the connector does not accept waits from now on').waitFor()
    assert.equal((await readConnector(id)).onViolation, 'Defer')
    assert.equal(await page.getByRole('button', { name: 'Hold the mail: next step' }).count(), 0)
    await sendUntil(domain, renewed, '250')
    const { items } = await waitForResult(async () => {
      const queues = await read<{ items: { reason: string }[] }>(`/queues?connector=${id}`)
      return queues.items.length > 0 ? queues : null
    })
    assert.equal(items[0]?.reason, 'InboundCertificateRestriction')
    assertNoFaults()
  })

  test('dismisses a certificate with a reason: it stays away, and the other one stays', async () => {
    const { id, domain, other, otherIdentity, unknown } = await partner('tailspin.example', 'Bounce')
    const { page, assertNoFaults } = await console.open(`/unknown-certificates/${other.id}`)
    const { confirmation, confirm } = await choose(page, 'Not theirs: dismiss')
    await confirmation.getByText('it is refused').waitFor()
    await confirm()
    await confirmation.getByText('Enter why the certificate is not the partner’s.').waitFor()
    assert.equal(await stateOf(other), 'Open')
    await confirmation.getByRole('textbox', { name: 'Reason' }).fill('The partner does not know it')
    await confirm()
    await page.getByText('Dismissed. It causes no notice for 90 days.').waitFor()
    await page.getByText('The partner does not know it').waitFor()
    const { state, dismissal } = await read<UnknownCertificate>(`/certificates/unknown/${other.id}`)
    assert.deepEqual([state, dismissal?.reason], ['Dismissed', 'The partner does not know it'])

    assert.match(await send(domain, otherIdentity), /^550 5\.7\.51 /)
    await page.goto(`${console.runner.endpoints.console}/unknown-certificates?connector=${id}`)
    await page.getByRole('link', { name: `mx1.${domain}` }).waitFor()
    assert.equal(await page.getByRole('link', { name: 'stranger.example' }).count(), 0)
    assert.equal(await stateOf(unknown), 'Open')
    await page.goto(
      `${console.runner.endpoints.console}/unknown-certificates?connector=${id}&state=Dismissed`,
    )
    await page.getByRole('link', { name: 'stranger.example' }).waitFor()
    assertNoFaults()
  })

  test('does not overwrite a change that another client has made meanwhile', async () => {
    const { id, unknown } = await partner('proseware.example', 'Bounce')
    const { page } = await console.open(`/unknown-certificates/${unknown.id}`)
    const { confirm } = await choose(page, 'Add the fingerprint')
    const { version } = await readConnector(id)
    const response = await fetch(`${console.runner.endpoints.api}/inbound-connectors/${id}`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/json', 'if-match': `"${version}"` },
      body: JSON.stringify({ comment: 'Agreed by phone' }),
    })
    assert.equal(response.status, 200)
    await confirm()
    await page.getByText('Another person or program has changed this connector').waitFor()
    assert.deepEqual((await readConnector(id)).certificateFingerprints, [])
    assert.equal((await readConnector(id)).comment, 'Agreed by phone')
  })

  /** An entry of the API, of which a test changes fields. */
  const sample = async (): Promise<UnknownCertificate> => {
    const { items } = await read<UnknownCertificateList>('/certificates/unknown?state=Open&trusted=true')
    return items[0] ?? (await partner('sample.example', 'Bounce')).unknown
  }

  test('ten thousand certificates hide neither a renewal nor each other', async () => {
    const renewal = await sample()
    const entry = (index: number): UnknownCertificate => ({
      ...renewal,
      id: `CERTIFICATE-${index}`,
      trusted: false,
      connector: { ...renewal.connector, id: `CONNECTOR-${index % 40}`, name: `From partner ${index % 40}` },
      presented: { ...renewal.presented, subject: `CN=flood-${index}.example` },
    })
    const flood = Array.from({ length: 10_000 }, (_, index) => entry(index))
    const { page, assertNoFaults, assertAccessible } = await console.open('/unknown-certificates')
    await page.route('**/certificates/unknown?*', (route) => {
      const { searchParams } = new URL(route.request().url())
      if (searchParams.get('trusted') === 'true')
        return route.fulfill({ json: { items: [renewal], nextCursor: null } })
      const connector = searchParams.get('connector')
      const matching = connector === null ? flood : flood.filter((each) => each.connector.id === connector)
      const start = Number(searchParams.get('cursor') ?? 0)
      const end = start + 100
      return route.fulfill({
        json: {
          items: matching.slice(start, end),
          nextCursor: end < matching.length ? String(end) : null,
        },
      })
    })
    await readAgain(page)
    await page.getByRole('heading', { name: /^Trusted for the partner\s*\(1\)/ }).waitFor()
    await page.getByText('(1,000+)').waitFor()
    assert.equal(await page.getByRole('heading', { level: 3, name: /^From partner/ }).count(), 10)
    assert.equal(await page.getByRole('link', { name: /flood-\d+\.example/ }).count(), 50)
    await page.getByRole('button', { name: 'Read earlier ones' }).click()
    await page.getByText('(2,000+)').waitFor()
    await page.getByRole('button', { name: 'Show all 50 at From partner 3', exact: true }).click()
    await page.getByText('(250)').first().waitFor()
    assert.match(page.url(), /connector=CONNECTOR-3/)
    assert.equal(await page.getByRole('link', { name: /flood-\d+\.example/ }).count(), 25)
    assertNoFaults()
    await assertAccessible()
  })

  test('hostile texts of a certificate stay texts, at any length', async () => {
    const one = await sample()
    const markup = '<img src=x onerror="document.title=1">'
    const hostile: UnknownCertificate = {
      ...one,
      why: `${markup}\u202e`,
      senderDomain: `evil\u200b.example${markup}`,
      presented: {
        ...one.presented,
        subject: `\u202eelpmaxe.knab${markup}${'A'.repeat(100_000)}`,
        issuer: markup,
        subjectAltNames: [
          markup,
          ...Array.from({ length: 500 }, (_, index) => `${index}.${'x'.repeat(200)}`),
        ],
      },
      connector: { ...one.connector, name: `From \u202e${markup}` },
    }
    const { page, assertNoFaults, assertAccessible } = await console.open('/unknown-certificates')
    await page.route(/\/certificates\/unknown\?/, (route) =>
      route.fulfill({ json: { items: [hostile], nextCursor: null } }),
    )
    await page.route(/\/certificates\/unknown\/[^?]/, (route) => route.fulfill({ json: hostile }))
    await readAgain(page)
    await page.getByRole('link', { name: '�elpmaxe.knab' }).first().click()
    await page.getByRole('heading', { level: 1, name: 'Certificate at From �' }).waitFor()
    const text = (await page.locator('main').textContent()) ?? ''
    assert.ok(text.includes(markup))
    assert.ok(text.includes('and 481 more'))
    assert.doesNotMatch(text, /[\u202e\u200b]/)
    assert.ok(text.length < 30_000, String(text.length))
    assert.equal(await page.locator('img[src="x"]').count(), 0)
    const [width = 0, scrollWidth = 0] = await page.evaluate<number[]>(
      '[document.documentElement.clientWidth, document.documentElement.scrollWidth]',
    )
    assert.ok(scrollWidth <= width, `${scrollWidth} > ${width}`)
    assertNoFaults()
    await assertAccessible()
  })

  test('offers a reader no act, and an operator only the dismissal', async () => {
    const { id } = await sample()
    const { page } = await console.open(`/unknown-certificates/${id}`)
    const role = { current: 'read' }
    await page.route('**/caller', (route) =>
      route.fulfill({ json: { name: 'person', roles: [role.current] } }),
    )
    await readAgain(page)
    await page.getByText('These acts need the role operate or administer.').waitFor()
    assert.equal(await page.getByRole('button', { name: /: next step$/ }).count(), 0)
    role.current = 'operate'
    await readAgain(page)
    await page.getByRole('button', { name: 'Not theirs: dismiss: next step' }).waitFor()
    assert.equal(await page.getByRole('button', { name: /: next step$/ }).count(), 1)
  })

  test('shows what failed, and reads it again', async () => {
    const { page } = await console.open('/unknown-certificates')
    const status = { current: 400 }
    await page.route('**/certificates/unknown?*', (route) =>
      status.current === 200
        ? route.continue()
        : route.fulfill({ status: status.current, json: { detail: 'The list is not available.' } }),
    )
    await readAgain(page)
    await page.getByText('The list is not available.').first().waitFor()
    status.current = 403
    await readAgain(page)
    await page.getByText('Your role does not show this').first().waitFor()
    status.current = 200
    await readAgain(page)
    await page.getByRole('heading', { level: 2, name: 'Trusted for the partner' }).waitFor()
  })

  test('says that an entry does not exist any more', async () => {
    const { page } = await console.open('/unknown-certificates/no-such-id')
    await page.getByText('There is no such unknown certificate').waitFor()
  })

  test('the list, an entry and a confirmation are accessible', async () => {
    const { id } = await sample()
    const list = await console.open('/unknown-certificates')
    await list.page.getByRole('table').first().waitFor()
    await list.assertAccessible()
    const one = await console.open(`/unknown-certificates/${id}`)
    await one.page.getByRole('button', { name: 'Add the fingerprint: next step' }).waitFor()
    await one.assertAccessible()
    await choose(one.page, 'Add the fingerprint')
    await one.assertAccessible()
  })
})
