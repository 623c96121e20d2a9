/** The connector wizard: adds and edits connectors of both directions, with a dry run before they are saved. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Page, Route } from 'playwright-core'
import type {
  ChangeList,
  DryRun,
  InboundConnector,
  MessageList,
  OutboundConnector,
} from '../../functions/console/app/api/types.ts'
import { type ConsoleTest, readAgain, skip, startConsole, visit, whenRead } from '../support/console.ts'

const steps = {
  inbound: [
    'From and to',
    'Name',
    'Use of the connector',
    'Sending servers',
    'Security restrictions',
    'Dry run',
    'Review',
  ],
  outbound: [
    'From and to',
    'Name',
    'Use of the connector',
    'Routing',
    'Security restrictions',
    'Dry run',
    'Review',
  ],
} as const

describe('the connector wizard', { skip }, () => {
  let console: ConsoleTest

  before(async () => {
    console = await startConsole()
  })
  after(() => console?.close())

  const readAll = async <T>(direction: string): Promise<T[]> =>
    ((await console.api('GET', `/${direction}-connectors?limit=200`)).body as { items: T[] }).items
  const inboundOf = async (name: string) =>
    (await readAll<InboundConnector>('inbound')).find((connector) => connector.name === name)
  const outboundOf = async (name: string) =>
    (await readAll<OutboundConnector>('outbound')).find((connector) => connector.name === name)
  const lastChange = async () =>
    ((await console.api('GET', '/changes?limit=1')).body as ChangeList).items[0] ?? assert.fail()
  const create = async <T>(direction: string, fields: object): Promise<T> => {
    const { status, body } = await console.api('POST', `/${direction}-connectors`, {
      connectorType: 'Partner',
      ...fields,
    })
    assert.equal(status, 201, JSON.stringify(body))
    return body as T
  }
  const patch = async (
    { id, version }: { id: string; version: number },
    fields: object,
    direction = 'inbound',
  ) => {
    const response = await fetch(`${console.runner.endpoints.api}/${direction}-connectors/${id}`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/json', 'if-match': `"${version}"` },
      body: JSON.stringify(fields),
    })
    assert.equal(response.status, 200, await response.text())
  }

  const stepIs = (page: Page, title: string) =>
    page.getByRole('heading', { level: 1, name: title, exact: true }).waitFor()
  const next = (page: Page) => page.getByRole('button', { name: 'Next', exact: true }).click()
  const goTo = async (page: Page, titles: readonly string[], last: string) => {
    for (const title of titles) {
      await stepIs(page, title)
      if (title === last) return
      await next(page)
    }
  }
  const review = async (page: Page) => {
    await page.getByRole('button', { name: 'Go to the review' }).click()
    await stepIs(page, 'Review')
  }
  const save = (page: Page) => page.getByRole('button', { name: 'Save the connector' }).click()
  const editPath = ({ id }: { id: string }, direction: 'inbound' | 'outbound' = 'inbound') =>
    `/partners/${id}/edit/${direction}/${id}`

  test('adds both connectors of a new partner, each with a dry run', async () => {
    const { page, assertNoFaults } = await console.open('/partners')
    await page.getByRole('button', { name: 'Add a partner' }).click()
    await stepIs(page, 'From and to')
    await next(page)
    await stepIs(page, 'Name')
    await next(page)
    await page.getByText('A connector needs a name.').first().waitFor()
    await page.getByLabel('Name', { exact: true }).fill('From the mill')
    await page.getByLabel('Comment').fill('Agreed on 1 December')
    await next(page)
    await stepIs(page, 'Use of the connector')
    await page.getByLabel('Sender domains').fill('Mill.example, *.mill.example mill')
    await page.getByText('3 domains.').first().waitFor()
    await page.getByText('Without a dot: mill. Is a part missing?').first().waitFor()
    await page.getByText('3 domains: Mill.example, *.mill.example, mill.').first().waitFor()
    await page.getByLabel('Sender domains').fill('Mill.example, mill/example')
    await page.getByText('"mill/example" is not a domain, "*.domain" or "*"').first().waitFor()
    await page.getByLabel('Sender domains').fill('Mill.example, mill.example')
    await page.getByText('1 domain; 1 repeated entry left out.').first().waitFor()
    await next(page)
    await stepIs(page, 'Sending servers')
    await page.getByRole('radio', { name: 'Only with a certificate that is listed' }).click()
    await page.getByLabel('Names in the certificate').fill('mx.mill.example')
    await next(page)
    await stepIs(page, 'Security restrictions')
    await page.getByRole('radio', { name: 'TLS 1.3' }).click()
    await next(page)
    await stepIs(page, 'Dry run')
    await page.getByRole('button', { name: 'Start the dry run' }).click()
    await page.getByText('No mail of these days concerns this connector').first().waitFor({ timeout: 60_000 })
    await next(page)
    await stepIs(page, 'Review')
    await page.getByText('It is report only, so mail is not affected.').waitFor()
    await page.getByRole('button', { name: 'Add the connector' }).click()

    await page.getByText('From the mill is added').waitFor()
    await page.getByRole('heading', { level: 1, name: 'mill.example' }).waitFor()
    const inbound = (await inboundOf('From the mill')) ?? assert.fail()
    assert.deepEqual(
      [inbound.mode, inbound.onViolation, inbound.senderDomains, inbound.tlsSenderCertificateNames],
      ['ReportOnly', 'Defer', ['mill.example'], ['mx.mill.example']],
    )
    assert.equal(inbound.restrictDomainsToCertificate, true)
    assert.equal(inbound.minimumTlsVersion, 'TLSv1.3')
    assert.equal(inbound.comment, 'Agreed on 1 December')
    const created = await lastChange()
    assert.deepEqual(
      [created.action, created.kind, created.name],
      ['Created', 'inbound-connector', 'From the mill'],
    )

    await page.getByRole('button', { name: 'Add the outbound connector' }).click()
    await stepIs(page, 'From and to')
    assert.equal(await page.getByRole('radio', { name: 'Outbound: mail from us to them' }).isChecked(), true)
    await next(page)
    await stepIs(page, 'Name')
    assert.equal(await page.getByLabel('Name', { exact: true }).inputValue(), 'To mill.example')
    await page.getByRole('radio', { name: 'Defer' }).click()
    await next(page)
    await stepIs(page, 'Use of the connector')
    assert.equal(await page.getByLabel('Recipient domains').inputValue(), 'mill.example')
    await next(page)
    await stepIs(page, 'Routing')
    await page.getByRole('radio', { name: 'Through smart hosts' }).click()
    await next(page)
    await page.getByText('List at least one smart host.').first().waitFor()
    await page.getByLabel('Smart hosts', { exact: true }).fill('relay.mill.example:2525')
    await next(page)
    await stepIs(page, 'Security restrictions')
    assert.equal(await page.getByRole('radio', { name: 'EncryptionOnly' }).isChecked(), true)
    await page.getByRole('radio', { name: 'DomainValidation' }).click()
    await page.getByLabel('Name in the certificate').fill('*.mill.example')
    await next(page)
    await stepIs(page, 'Dry run')
    await page.getByRole('button', { name: 'Start the dry run' }).click()
    await page.getByRole('button', { name: 'Repeat the dry run' }).waitFor({ timeout: 60_000 })
    await next(page)
    await stepIs(page, 'Review')
    await page
      .getByText(
        /Where a server does not meet DomainValidation for \*\.mill\.example, the mail is deferred\./,
      )
      .waitFor()
    await page.getByText('This connector has not been validated').waitFor()
    await page.getByRole('button', { name: 'Add the connector' }).click()
    await page.getByText('To mill.example is added').waitFor()
    await page.getByText('Validate it now').waitFor()
    await page.getByRole('button', { name: 'Validate', exact: true }).waitFor()
    const outbound = (await outboundOf('To mill.example')) ?? assert.fail()
    assert.deepEqual(outbound.smartHosts, [{ host: 'relay.mill.example', port: 2525 }])
    assert.deepEqual(
      [outbound.mode, outbound.onTlsFailure, outbound.tlsSettings, outbound.tlsDomain],
      ['Enforce', 'Defer', 'DomainValidation', '*.mill.example'],
    )
    assert.equal((await lastChange()).kind, 'outbound-connector')
    assertNoFaults()
  })

  test('adds a connector with the keyboard alone', async () => {
    const { page, assertNoFaults } = await console.open('/partners')
    const { keyboard } = page
    /** What has the focus: its role, and the text by which a person finds it. */
    const focused = () =>
      page.evaluate<string>(`(() => {
        const element = document.activeElement
        const labels = [...(element.labels ?? [])].map(({ textContent }) => textContent)
        const named = (element.getAttribute('aria-labelledby') ?? '').split(' ').map((id) => document.getElementById(id)?.textContent)
        return [element.getAttribute('aria-label'), ...labels, ...named, element.tagName === 'BUTTON' ? element.textContent : ''].join(' ')
      })()`)
    const tabTo = async (text: string) => {
      for (let presses = 0; presses < 80; presses++) {
        await keyboard.press('Tab')
        if ((await focused()).includes(text)) return
      }
      assert.fail(`no way to ${text}: ${await focused()}`)
    }
    const pressNext = async (title: string) => {
      await tabTo('Next')
      await keyboard.press('Enter')
      await stepIs(page, title)
    }
    await page.getByRole('button', { name: 'Add a partner' }).waitFor()
    await tabTo('Add a partner')
    await keyboard.press('Enter')
    await stepIs(page, 'From and to')
    await tabTo('Inbound: mail from them to us')
    await keyboard.press('ArrowDown')
    await page.getByText('Forces TLS for mail to its domains.').waitFor()
    await pressNext('Name')
    await tabTo('Name')
    await keyboard.type('To the forge')
    await tabTo('ReportOnly')
    await keyboard.press('ArrowDown')
    await pressNext('Use of the connector')
    await tabTo('Recipient domains')
    await keyboard.type('forge.example')
    await pressNext('Routing')
    await pressNext('Security restrictions')
    await tabTo('EncryptionOnly')
    await keyboard.press('ArrowDown')
    await pressNext('Dry run')
    await tabTo('Start the dry run')
    await keyboard.press('Space')
    await page.getByText('No mail of these days concerns this connector').first().waitFor({ timeout: 60_000 })
    await pressNext('Review')
    await tabTo('Add the connector')
    await keyboard.press('Enter')
    await page.getByText('To the forge is added').waitFor()
    const forge = (await outboundOf('To the forge')) ?? assert.fail()
    assert.deepEqual(
      [forge.mode, forge.onTlsFailure, forge.recipientDomains, forge.tlsSettings, forge.tlsDomain],
      ['Enforce', 'Defer', ['forge.example'], 'CertificateValidation', null],
    )
    assertNoFaults()
  })

  test('edits a connector from its partner’s page, and shows the difference and its effect', async () => {
    await create('inbound', { name: 'From the inn', senderDomains: ['inn.example'] })
    const { page, assertNoFaults } = await console.open('/partners/inn.example')
    await page.getByRole('button', { name: 'Edit: From the inn' }).click()
    await stepIs(page, 'From and to')
    await goTo(page, steps.inbound, 'Use of the connector')
    await page.getByLabel('Sender domains').fill('inn.example\nbar.example')
    await next(page)
    await stepIs(page, 'Sending servers')
    await next(page)
    await page.getByRole('checkbox', { name: 'Require TLS' }).click()
    await review(page)
    await page.getByText('requireTls is weaker than before').waitFor()
    await page.getByText('there was no dry run').waitFor()
    const terms = await page.getByRole('term').allTextContents()
    assert.deepEqual(terms, ['senderDomains', 'requireTls'])
    await save(page)
    await page.getByText('From the inn is saved').waitFor()
    const inn = (await inboundOf('From the inn')) ?? assert.fail()
    assert.deepEqual(
      [inn.senderDomains, inn.requireTls, inn.version],
      [['inn.example', 'bar.example'], false, 2],
    )
    const change = await lastChange()
    assert.deepEqual(change.after, { senderDomains: ['inn.example', 'bar.example'], requireTls: false })
    // The API's warning: in one direction only.
    await page
      .getByText(/one direction|outbound connector/)
      .first()
      .waitFor()
    assertNoFaults()
  })

  test('warns before a connector is saved, and once after it is saved', async () => {
    const { page, assertNoFaults, assertAccessible } = await console.open('/partners/add?domain=moor.example')
    await goTo(page, steps.inbound, 'Sending servers')
    await page.getByRole('radio', { name: 'Only from IP addresses that are listed' }).click()
    await page.getByLabel('IP addresses', { exact: true }).fill('10.0.0.0/8')
    await goTo(page, steps.inbound.slice(3), 'Review')
    const before = await lastChange()
    await page.getByText('3 warnings about the connector as it would be saved').waitFor()
    const wide = page.getByText('senderIpAddresses[0]: 10.0.0.0/8 is wide')
    assert.equal(await wide.count(), 1)
    await assertAccessible()
    assert.equal(await inboundOf('From moor.example'), undefined)
    assert.equal((await lastChange()).id, before.id, 'nothing is saved')

    await page.getByRole('button', { name: 'Add the connector' }).click()
    await page.getByText('From moor.example is added').waitFor()
    await wide.waitFor()
    assert.equal(await wide.count(), 1)
    await page.getByRole('link', { name: 'Read the warnings below' }).click()
    assert.match(await page.evaluate<string>('document.activeElement.textContent'), /^3 warnings/)
    await page.getByText('From moor.example is added').waitFor()
    await assertAccessible()

    const moor = (await inboundOf('From moor.example')) ?? assert.fail()
    await visit(page, editPath(moor))
    await goTo(page, steps.inbound, 'Sending servers')
    await page.getByLabel('IP addresses', { exact: true }).fill('10.0.0.0/24')
    await review(page)
    await page.getByText('2 warnings about the connector as it would be saved').waitFor()
    assert.equal(await wide.count(), 0)
    assertNoFaults()
  })

  test('saves a connector whose warnings cannot be read', async () => {
    const { page } = await console.open('/partners/add?domain=fen.example')
    const release = Promise.withResolvers<void>()
    await page.route('**/inbound-connectors/check', async (route: Route) => {
      await release.promise
      await route.fulfill({ status: 400, json: { detail: 'The check is broken.' } })
    })
    await goTo(page, steps.inbound, 'Review')
    await page.getByText('Reading the warnings about the connector').waitFor()
    release.resolve()
    await page.getByText('The check is broken.').waitFor()
    await page.getByText('You can save the connector without them.').waitFor()
    await page.getByRole('button', { name: 'Add the connector' }).click()
    await page.getByText('From fen.example is added').waitFor()
  })

  test('merges a change that another client has saved meanwhile', async () => {
    const farm = await create<InboundConnector>('inbound', {
      name: 'From the farm',
      senderDomains: ['farm.example'],
    })
    const { page } = await console.open(editPath(farm))
    await goTo(page, steps.inbound, 'Name')
    await page.getByLabel('Comment').fill('Entered here')
    await patch(farm, { minimumTlsVersion: 'TLSv1.3' })
    await review(page)
    await save(page)
    await page.getByText('Another person or program has changed this connector').waitFor()
    const row = page.getByRole('row').filter({ hasText: 'minimumTlsVersion' })
    assert.match((await row.textContent()) ?? '', /TLSv1\.2TLSv1\.3TLSv1\.2what is saved/)
    await page.getByRole('button', { name: 'Merge both changes' }).click()
    await page.getByText('What changes').waitFor()
    assert.deepEqual(await page.getByRole('term').allTextContents(), ['comment'])
    await save(page)
    await page.getByText('From the farm is saved').waitFor()
    const merged = (await inboundOf('From the farm')) ?? assert.fail()
    assert.deepEqual(
      [merged.comment, merged.minimumTlsVersion, merged.version],
      ['Entered here', 'TLSv1.3', 3],
    )
  })

  test('has each conflict chosen before it merges', async () => {
    const pub = await create<InboundConnector>('inbound', {
      name: 'From the pub',
      senderDomains: ['pub.example'],
    })
    const { page, assertAccessible } = await console.open(editPath(pub))
    await goTo(page, steps.inbound, 'Name')
    await page.getByLabel('Comment').fill('Entered here')
    await next(page)
    await stepIs(page, 'Use of the connector')
    await page.getByLabel('Sender domains').fill('pub.example entered.example')
    await patch(pub, { comment: 'Saved there', senderDomains: ['pub.example', 'saved.example'] })
    await review(page)
    await save(page)
    await page.getByText('2 fields have two new values').waitFor()
    const merge = page.getByRole('button', { name: 'Merge both changes' })
    assert.equal(await merge.isDisabled(), true)
    await save(page)
    await page.getByText('First decide about the other change').first().waitFor()
    await assertAccessible()
    const table = await page.getByRole('table', { name: 'Both changes' }).boundingBox()
    assert.ok(table && table.x + table.width <= 1280, 'the choices are visible without scrolling')
    const choose = (field: string, choice: string) =>
      page
        .getByRole('radiogroup', { name: `Result of ${field}` })
        .getByRole('radio', { name: choice })
        .click()
    await choose('comment', 'What is saved')
    await choose('senderDomains', 'Both')
    await merge.click()
    await page.getByText('What changes').waitFor()
    await save(page)
    await page.getByText('From the pub is saved').waitFor()
    const merged = (await inboundOf('From the pub')) ?? assert.fail()
    assert.equal(merged.comment, 'Saved there')
    assert.deepEqual(merged.senderDomains, ['pub.example', 'saved.example', 'entered.example'])
  })

  test('offers to add a connector again that another client has deleted meanwhile', async () => {
    const tent = await create<InboundConnector>('inbound', {
      name: 'From the tent',
      senderDomains: ['tent.example'],
    })
    const { page } = await console.open(editPath(tent))
    await goTo(page, steps.inbound, 'Name')
    await page.getByLabel('Comment').fill('Entered here')
    const response = await fetch(`${console.runner.endpoints.api}/inbound-connectors/${tent.id}`, {
      method: 'DELETE',
      headers: { 'if-match': '*' },
    })
    assert.equal(response.status, 204)
    await review(page)
    await save(page)
    await page.getByRole('button', { name: 'Add it as a new one' }).click()
    await page.getByRole('button', { name: 'Add the connector' }).click()
    await page.getByText('From the tent is added').waitFor()
    assert.equal((await inboundOf('From the tent'))?.comment, 'Entered here')
  })

  test('shows a fault of the API at its field, and goes to its step', async () => {
    const { page } = await console.open('/partners/add?domain=shed.example')
    await goTo(page, steps.inbound, 'Sending servers')
    await page.getByLabel('Names in the certificate').fill('mx.shed.example')
    await next(page)
    await stepIs(page, 'Security restrictions')
    await page.getByRole('checkbox', { name: 'Require TLS' }).click()
    await next(page)
    await stepIs(page, 'Dry run')
    await next(page)
    await stepIs(page, 'Review')
    await page.getByRole('button', { name: 'Add the connector' }).click()
    await stepIs(page, 'Security restrictions')
    await page.getByText('must be true when the connector names a certificate').first().waitFor()
    await page.getByRole('checkbox', { name: 'Require TLS' }).click()
    await page.getByText('must be true when').first().waitFor({ state: 'detached' })
    assert.equal(await inboundOf('From shed.example'), undefined)
  })

  test('says at once that a name is taken, of a new connector and of one that is renamed', async () => {
    const { page, assertNoFaults } = await console.open('/partners/add?domain=barge.example')
    const taken = page.getByText('A connector “From the bank” exists: the name is taken').first()
    await goTo(page, steps.inbound, 'Name')
    await page.getByLabel('Name', { exact: true }).fill('from the BANK')
    await next(page)
    await taken.waitFor()
    await stepIs(page, 'Name')
    await page.getByLabel('Name', { exact: true }).fill('From the barge')
    await next(page)
    await stepIs(page, 'Use of the connector')
    assertNoFaults()

    const boat = await create<InboundConnector>('inbound', {
      name: 'From the boat',
      senderDomains: ['boat.example'],
    })
    const { page: edited } = await console.open(editPath(boat))
    await goTo(edited, steps.inbound, 'Name')
    await edited.getByLabel('Name', { exact: true }).fill('FROM THE BANK')
    await edited.getByRole('button', { name: 'Go to the review' }).click()
    await edited.getByText('the name is taken').first().waitFor()
    await edited.getByLabel('Name', { exact: true }).fill('FROM THE BOAT')
    await review(edited)
  })

  test('says that a domain already belongs to a connector, which a link opens', async () => {
    const { page, assertNoFaults, assertAccessible } = await console.open('/partners/add')
    await goTo(page, steps.inbound, 'Name')
    await page.getByLabel('Name', { exact: true }).fill('From the teller')
    await next(page)
    await page.getByLabel('Sender domains').fill('insurer,example')
    await page.getByText('Without a dot: insurer, example.').first().waitFor()
    await page.getByText('2 domains: insurer, example.').first().waitFor()
    await page.getByLabel('Sender domains').fill('bank.example')
    await page.getByText('bank.example already belongs to').first().waitFor()
    await assertAccessible()
    await next(page)
    await stepIs(page, 'Sending servers')
    await page.getByRole('button', { name: 'Previous' }).click()
    await page.getByRole('link', { name: 'From the bank' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Leave' }).click()
    await page.getByText('Edit From the bank').first().waitFor()
    await stepIs(page, 'From and to')
    assertNoFaults()
  })

  test('takes five hundred pasted names', async () => {
    const { page, assertNoFaults } = await console.open('/partners/add')
    await goTo(page, steps.inbound, 'Name')
    await page.getByLabel('Name', { exact: true }).fill('From many')
    await next(page)
    await page.getByLabel('Sender domains').focus()
    await page.keyboard.insertText(
      Array.from({ length: 500 }, (_, index) => `d${index}.many.example`).join('\n'),
    )
    await page.getByText('500 domains.').first().waitFor()
    await goTo(page, steps.inbound.slice(2), 'Review')
    await page.getByRole('button', { name: 'Add the connector' }).click()
    await page.getByText('From many is added').waitFor()
    assert.equal((await inboundOf('From many'))?.senderDomains.length, 500)
    assertNoFaults()
  })

  test('shows what would have been decided otherwise, and that a failing dry run does not block', async () => {
    const { items } = (await console.api('GET', '/messages?limit=2')).body as MessageList
    const [id = ''] = items.map((message) => message.id)
    const outcome = {
      outcome: 'Delivered',
      reason: null,
      connector: null,
      level: null,
      tlsResult: null,
    } as const
    const after = { ...outcome, outcome: 'Held', reason: 'InboundTlsRequired', connector: 'From x' } as const
    const result: DryRun = {
      id: '01ARZ3NDEKTSV4RRFFQ69G5FAV',
      state: 'Running',
      reason: null,
      from: '2026-11-24T00:00:00.000Z',
      to: '2026-12-01T00:00:00.000Z',
      ms: 1,
      scannedOctets: 1,
      connectorsVersion: 1,
      considered: 0,
      same: 0,
      different: [],
      undetermined: [],
      notConsidered: 0,
    }
    const answers: DryRun[] = [
      result,
      {
        ...result,
        state: 'Succeeded',
        considered: 9,
        same: 4,
        different: [{ before: outcome, after, count: 3, samples: [id], unlessRevoked: true }],
        undetermined: [{ missing: 'The chain of the certificate is not recorded.', count: 2, samples: [] }],
      },
      { ...result, state: 'Failed', reason: 'The search was too large.' },
    ]
    const { page, assertAccessible } = await console.open('/partners/add?domain=x.example')
    await page.route('**/dry-runs', (route: Route) =>
      route.fulfill({ status: 202, json: { id: `${result.id}${answers.length}`, completeUntil: result.to } }),
    )
    await page.route('**/dry-runs/*', (route: Route) => route.fulfill({ json: answers.shift() }))
    await goTo(page, steps.inbound, 'Dry run')
    await page.getByRole('button', { name: 'Start the dry run' }).click()
    await page.getByText('3 otherwise, 2 cannot be told').first().waitFor()
    const row = page.getByRole('table', { name: 'Decided otherwise' }).getByRole('row').last()
    for (const text of ['Delivered', 'Held', 'unless a certificate was revoked', 'InboundTlsRequired'])
      await row.getByText(text).first().waitFor()
    assert.equal(await row.getByRole('link').getAttribute('href'), `/console/messages/${id}`)
    await page.getByText('The chain of the certificate is not recorded.').waitFor()
    await assertAccessible()

    await page.getByRole('radio', { name: 'As it is saved: ReportOnly' }).click()
    await page.getByText('You have changed the connector since this dry run').waitFor()
    await page.getByRole('button', { name: 'Repeat the dry run' }).click()
    await page.getByText('The search was too large.').waitFor()
    await page.getByText('You can save the connector without it').waitFor()
    await next(page)
    await page.getByRole('button', { name: 'Add the connector' }).click()
    await page.getByText('From x.example is added').waitFor()
  })

  test('holds or returns mail that waits, as the person chooses', async () => {
    const clinic = (await outboundOf('To the clinic')) ?? assert.fail()
    const { page } = await console.open(editPath(clinic, 'outbound'))
    await goTo(page, steps.outbound, 'Security restrictions')
    await page.getByRole('radio', { name: 'Opportunistic' }).first().click()
    await review(page)
    await save(page)
    const choice = page.getByText('Mail that waits under this connector')
    await choice.waitFor()
    await page.getByRole('radio', { name: 'Return it' }).click()
    await patch(clinic, { comment: 'Saved meanwhile' }, 'outbound')
    await save(page)
    await page.getByRole('button', { name: 'Merge both changes' }).click()
    await page.getByText('What changes').waitFor()
    await save(page)
    await choice.waitFor()
    assert.equal(await page.getByRole('radio', { name: 'Return it' }).isChecked(), false, 'chosen again')
    await page.getByRole('radio', { name: 'Hold it' }).click()
    await save(page)
    await page.getByText('To the clinic is saved').waitFor()
    assert.equal((await outboundOf('To the clinic'))?.tlsSettings, null)
  })

  test('asks once before unsaved input is lost', async () => {
    const { page, assertNoFaults } = await console.open('/partners')
    await page.getByRole('button', { name: 'Add a partner' }).click()
    await goTo(page, steps.inbound, 'Name')
    await page.getByLabel('Name', { exact: true }).fill('Unsaved')
    const question = page.getByRole('dialog', { name: 'Leave without saving?' })
    await page.getByRole('link', { name: 'Reports' }).click()
    await question.getByRole('button', { name: 'Stay', exact: true }).last().click()
    assert.equal(await page.getByLabel('Name', { exact: true }).inputValue(), 'Unsaved')
    await page.goBack()
    await question.waitFor()
    assert.match(page.url(), /\/partners\/add$/)
    await question.getByRole('button', { name: 'Leave' }).click()
    await page.getByRole('heading', { level: 1, name: 'Partners' }).waitFor()
    await page.getByRole('link', { name: 'Reports' }).click()
    await page.getByRole('heading', { level: 1, name: 'Reports' }).waitFor()
    assertNoFaults()
  })

  test('asks before the page is closed, and nothing without input', async () => {
    const { page } = await console.open('/partners/add')
    const asked: string[] = []
    page.on('dialog', (dialog) => {
      asked.push(dialog.type())
      void dialog.accept()
    })
    await stepIs(page, 'From and to')
    await page.reload()
    await whenRead(page)
    assert.deepEqual(asked, [])
    await goTo(page, steps.inbound, 'Name')
    await page.getByLabel('Name', { exact: true }).fill('Unsaved')
    await page.reload()
    await whenRead(page)
    assert.deepEqual(asked, ['beforeunload'])
  })

  test('keeps the input while a person whose session has ended signs in again', async () => {
    const { page } = await console.open('/partners/add?domain=lost.example')
    await goTo(page, steps.inbound, 'Name')
    await page.getByLabel('Comment').fill('Long text')
    await goTo(page, steps.inbound.slice(1), 'Review')
    const ended = { current: true }
    await page.route('**/inbound-connectors', (route: Route) =>
      ended.current ? route.fulfill({ status: 401, json: { message: 'Unauthorized' } }) : route.continue(),
    )
    await page.getByRole('button', { name: 'Add the connector' }).click()
    await page.getByText('What you entered is kept in this tab').waitFor()
    await page.getByRole('button', { name: 'Sign in again' }).click()
    await page.getByText('What you entered is here again').waitFor()
    ended.current = false
    await goTo(page, steps.inbound, 'Review')
    await page.getByRole('button', { name: 'Add the connector' }).click()
    await page.getByText('From lost.example is added').waitFor()
    assert.equal((await inboundOf('From lost.example'))?.comment, 'Long text')
  })

  test('keeps fields that it does not show, and says so', async () => {
    const barn = await create<InboundConnector>('inbound', {
      name: 'From the barn',
      senderDomains: ['barn.example'],
    })
    const { page } = await console.open('/partners')
    await page.route(`**/inbound-connectors/${barn.id}`, async (route: Route) =>
      route.request().method() === 'GET'
        ? route.fulfill({ json: { ...barn, greylistingMinutes: 5 } })
        : route.continue(),
    )
    await visit(page, editPath(barn))
    await goTo(page, steps.inbound, 'Name')
    await page.getByLabel('Comment').fill('Entered here')
    await review(page)
    await page.getByText('npx mailflow connectors set "From the barn" greylistingMinutes=VALUE').waitFor()
    await save(page)
    await page.getByText('From the barn is saved').waitFor()
    assert.deepEqual((await lastChange()).after, { comment: 'Entered here' })
  })

  test('is not offered to a reader, and says why', async () => {
    const { page } = await console.open('/partners/bank.example')
    await page.getByRole('button', { name: 'Edit: From the bank' }).waitFor()
    await page.route('**/caller', (route) => route.fulfill({ json: { name: 'reader', roles: ['read'] } }))
    await readAgain(page)
    await page.getByText('Level: DomainValidation').waitFor()
    assert.equal(await page.getByRole('button', { name: /^Edit/ }).count(), 0)
    const bank = (await inboundOf('From the bank')) ?? assert.fail()
    for (const path of ['/partners/add', editPath(bank)]) {
      await visit(page, path)
      await page.getByText('Your role does not permit you to').waitFor()
      assert.equal(await page.getByRole('button', { name: 'Next' }).count(), 0)
    }
    await visit(page, '/partners')
    await page.getByRole('link', { name: 'bank.example' }).waitFor()
    assert.equal(await page.getByRole('button', { name: 'Add a partner' }).count(), 0)
  })

  for (const direction of ['inbound', 'outbound'] as const)
    test(`each step of an ${direction} connector is accessible`, async () => {
      const { page, assertAccessible } = await console.open(
        `/partners/add?domain=axe.example&direction=${direction}`,
      )
      for (const title of steps[direction]) {
        await stepIs(page, title)
        for (const section of await page.getByRole('button', { expanded: false }).all())
          if (await section.getByText(/few connectors need|fingerprints/).count()) await section.click()
        await assertAccessible()
        if (title !== 'Review') await next(page)
      }
    })

  test('faults and the question before leaving are accessible', async () => {
    const { page, assertAccessible } = await console.open('/partners/add')
    await goTo(page, steps.inbound, 'Name')
    await next(page)
    await page.getByText('A connector needs a name.').first().waitFor()
    await assertAccessible()
    await page.getByLabel('Comment').fill('x')
    await page.getByRole('link', { name: 'Reports' }).click()
    await page.getByRole('dialog', { name: 'Leave without saving?' }).waitFor()
    await assertAccessible()
  })
})
