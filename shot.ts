import { chromium } from 'playwright-core'

const [url, out, width = '1280', scheme = 'light'] = process.argv.slice(2)
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu'],
})
const page = await browser.newPage({
  viewport: { width: Number(width), height: 900 },
  colorScheme: scheme as 'light',
})
page.on('console', (m) => console.log('console', m.type(), m.text()))
page.on('pageerror', (e) => console.log('pageerror', e.message))
page.on('requestfailed', (r) => console.log('failed', r.url(), r.failure()?.errorText))
const t = performance.now()
await page.goto(url as string, { waitUntil: 'networkidle' })
console.log('ms', performance.now() - t)
await page.screenshot({ path: out as string })
await browser.close()
