/** The public page of the certificates in a browser: on a phone, on a desktop, in dark mode and printed. */
import 'reflect-metadata'
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import {
  AuthorityInfoAccessExtension,
  BasicConstraintsExtension,
  CRLDistributionPointsExtension,
  SubjectAlternativeNameExtension,
} from '@peculiar/x509'
import { type BrowserContext, chromium, type Page } from 'playwright-core'
import { createPublicPages } from '../../functions/public-pages/pages.ts'
import { type ApiServer, startApiServer } from '../../infra/local/api-server.ts'
import type { PublishedCertificates } from '../../shared/contract/certificates.ts'
import { describeCertificates } from '../../shared/tls/describe-certificates.ts'
import { certificateWith } from '../support/odd-certificates.ts'
import { browserPath, skipWithoutBrowser } from '../support/peers/browser.ts'

const hostname = 'mx.ours.example'
/** The longest possible name. */
const longName = [`${'a'.repeat(63)}.`.repeat(3), 'ours.example'].join('')
const now = new Date('2026-11-29T12:00:00.000Z')
const profile = mkdtempSync(join(tmpdir(), 'mailflow-chromium-'))

let server: ApiServer
let browser: BrowserContext
let results: PublishedCertificates

before(async () => {
  if (skipWithoutBrowser) return
  results = await createPublished()
  const pages = createPublicPages({
    published: { read: async () => results },
    acceptedDomains: { get: async () => null },
    policy: null,
    publisher: {
      organisation: 'Ours, Inc.',
      contact: `postmaster@${hostname}`,
    },
    logger: { error: (...results: unknown[]) => assert.fail(String(results)) },
    now: () => now.getTime(),
  })
  const defaultRoute = { key: '$default', functionArn: 'arn:pages', authorization: 'NONE' }
  server = await startApiServer(
    [defaultRoute],
    (_, event) => pages(event as Parameters<typeof pages>[0]),
    { port: 0, option: '--pages-port', isPublic: true },
    assert.fail,
  )
  browser = await chromium.launchPersistentContext(profile, {
    executablePath: browserPath,
    headless: true,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
})

after(async () => {
  await browser?.close()
  await server?.close()
  rmSync(profile, { recursive: true, force: true })
})

async function createPublished(): Promise<PublishedCertificates> {
  const issue = (authority: string, names: string[]) =>
    certificateWith({
      subject: [
        { CN: [hostname] },
        { O: ['Ours, Inc. <script>document.title="caught"</script>'] },
        { OU: ['Mail'] },
      ],
      extensions: [
        new SubjectAlternativeNameExtension(names.map((value) => ({ type: 'dns' as const, value }))),
        new CRLDistributionPointsExtension([
          `http://crl.${authority}.example/${'issuing-ca-'.repeat(12)}2.crl`,
        ]),
        new AuthorityInfoAccessExtension({ ocsp: [`http://ocsp.${authority}.example`] }),
      ],
      authority: { subject: `CN=Root ${authority}, O=CA`, extensions: [new BasicConstraintsExtension(true)] },
    })
  const [current, next, former] = await Promise.all([
    issue('one', [hostname]),
    issue('two', [hostname, longName]),
    issue('one', [hostname]),
  ])
  return describeCertificates(
    {
      certificate: current,
      servedFrom: '2026-09-01T09:00:00.000Z',
      next: { certificate: next, servedFrom: '2026-12-10T09:00:00.000Z' },
      deprecated: [{ certificate: former, servedUntil: '2026-09-01T09:00:00.000Z' }],
    },
    { hostname, now },
  )
}

interface Look {
  width: number
  colorScheme?: 'light' | 'dark'
  media?: 'screen' | 'print'
}

/** @returns the page, and the browser's console messages and further requests */
async function open({ width, colorScheme = 'light', media = 'screen' }: Look) {
  const page = await browser.newPage()
  const browserMessages: string[] = []
  page.on('console', (message) => browserMessages.push(message.text()))
  page.on('pageerror', (error) => browserMessages.push(error.message))
  page.on('request', (request) => browserMessages.push(request.url()))
  await page.setViewportSize({ width, height: 800 })
  await page.emulateMedia({ colorScheme, media })
  await page.goto(`http://127.0.0.1:${server.port}/`)
  return { page, browserMessages }
}

/** Every visible piece of text with its colours as numbers from 0 to 255, and its size in pixels. */
const textsOf = (page: Page) =>
  page.evaluate(() => {
    // biome-ignore lint/suspicious/noExplicitAny: it runs in the browser, whose types the project does not load
    const { document, getComputedStyle, NodeFilter } = globalThis as any
    const numbers = (colour: string) => (colour.match(/[\d.]+/g) ?? []).map(Number)
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    const texts: { text: string; size: number; colour: number[]; back: number[] }[] = []
    while (walker.nextNode()) {
      const text = walker.currentNode.textContent.trim()
      if (text === '') continue
      const element = walker.currentNode.parentElement
      const { color, fontSize } = getComputedStyle(element)
      let backgroundElement = element
      while (numbers(getComputedStyle(backgroundElement).backgroundColor)[3] === 0)
        backgroundElement = backgroundElement.parentElement
      const back = numbers(getComputedStyle(backgroundElement).backgroundColor)
      texts.push({ text, size: Number.parseFloat(fontSize), colour: numbers(color), back })
    }
    return texts
  })

/** WCAG 2.2, relative luminance and contrast ratio. */
function contrast(first: number[], second: number[]): number {
  const luminance = (colour: number[]) => {
    const [red = 0, green = 0, blue = 0] = colour.slice(0, 3).map((value) => {
      const part = value / 255
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
  }
  const [dark = 0, light = 0] = [luminance(first), luminance(second)].sort((a, b) => a - b)
  return (light + 0.05) / (dark + 0.05)
}

const looks: Look[] = [
  { width: 320 },
  { width: 390 },
  { width: 390, colorScheme: 'dark' },
  { width: 1280 },
  { width: 1280, colorScheme: 'dark' },
  { width: 700, media: 'print' },
  { width: 700, colorScheme: 'dark', media: 'print' },
]

describe('the certificates page in Chromium', { skip: skipWithoutBrowser }, () => {
  for (const look of looks)
    it(`does not scroll horizontally, and has text of at least 13 pixels and a contrast of 4.5, with ${JSON.stringify(look)}`, async () => {
      const { page } = await open(look)
      const width = await page.evaluate(
        () =>
          (globalThis as unknown as { document: { documentElement: { scrollWidth: number } } }).document
            .documentElement.scrollWidth,
      )
      assert.ok(width <= look.width, `${width} pixels wide`)
      const texts = await textsOf(page)
      assert.ok(texts.length > 100)
      for (const { text, size, colour, back } of texts) {
        assert.ok(size >= 13, `${size} pixels: ${text}`)
        const ratio = contrast(colour, back)
        assert.ok(ratio >= 4.5, `${colour} on ${back} is ${ratio.toFixed(2)}: ${text}`)
      }
      await page.close()
    })

  it('has a dark background in dark mode only, and a white one in print', async () => {
    const backs = async (look: Look) => {
      const { page } = await open(look)
      const [{ back } = { back: [] }] = await textsOf(page)
      await page.close()
      return back.slice(0, 3)
    }
    assert.ok((await backs({ width: 800, colorScheme: 'dark' })).every((part) => part < 64))
    assert.deepEqual(await backs({ width: 800 }), [255, 255, 255])
    assert.deepEqual(await backs({ width: 800, colorScheme: 'dark', media: 'print' }), [255, 255, 255])
  })

  it('contains no script and form, makes no further request, and does not violate its content security policy', async () => {
    const { page, browserMessages } = await open({ width: 390 })
    assert.equal(await page.locator('script, link, img, iframe, object, embed, form').count(), 0)
    assert.equal(await page.title(), `TLS certificates of ${hostname}`)
    assert.deepEqual(
      browserMessages.filter((text) => !text.endsWith('/favicon.ico')),
      [`http://127.0.0.1:${server.port}/`],
    )
    await page.close()
  })

  it('shows each attribute of a certificate under its label', async () => {
    const { page } = await open({ width: 1280 })
    for (const certificate of results.certificates) {
      const card = page.locator('article').filter({ hasText: certificate.fingerprint256 })
      const valueUnder = (name: string) => card.locator(`dt:text-is("${name}") + dd`).textContent()
      assert.match(
        (await card.locator('h3').textContent()) ?? '',
        new RegExp(`^${certificate.state}: ${hostname}, EC 256$`),
      )
      assert.equal(await valueUnder('Certificate authority root issuer'), certificate.rootIssuer)
      assert.equal(await valueUnder('Certificate name'), hostname)
      assert.equal(await valueUnder('Organization'), certificate.organization)
      assert.equal(await valueUnder('Organization unit'), 'Mail')
      assert.equal(await valueUnder('Certificate key strength'), 'EC, 256 bits')
      assert.equal(await valueUnder('SHA-256 of its public key'), certificate.publicKeyFingerprint256)
      assert.equal(await valueUnder('CRL'), certificate.crlAddresses[0])
    }
    await page.close()
  })

  it('has the language en, one first-level heading, and no gap in heading levels', async () => {
    const { page } = await open({ width: 390 })
    assert.equal(await page.locator('html').getAttribute('lang'), 'en')
    const levels = await page
      .locator('h1, h2, h3, h4')
      .evaluateAll((headings) =>
        headings.map((heading) => Number((heading as unknown as { tagName: string }).tagName.slice(1))),
      )
    assert.equal(levels.filter((level) => level === 1).length, 1)
    for (const [index, level] of levels.entries()) assert.ok(level <= (levels[index - 1] ?? 0) + 1)
    await page.close()
  })

  it('has working links to the PEM certificates and to the JSON version', async () => {
    const { page } = await open({ width: 390 })
    const links = await page
      .locator('a[href^=certificates]')
      .evaluateAll((all) => all.map((link) => (link as unknown as { href: string }).href))
    const responses = await Promise.all(
      links.map(async (link) => {
        const response = await fetch(link)
        return [response.status, response.headers.get('content-type')] as const
      }),
    )
    assert.deepEqual([...new Set(responses.map(String))].sort(), [
      '200,application/json',
      '200,application/pem-certificate-chain',
    ])
    await page.close()
  })
})
