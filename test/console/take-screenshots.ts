/**
 * Writes pictures of each view of the console, with the mail of the demo, into the folder `screenshots`: `npm run
 * screenshots [-- --picture]`. With `--picture`, writes only the picture of the README.
 */
import { mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Page } from 'playwright-core'
import { root } from '../parts.ts'
import { type ConsoleTest, startConsole, whenRead } from '../support/console.ts'
import { consoleViews } from '../support/console-views.ts'
import { presentUnknownCertificate } from '../support/unknown-certificates.ts'

const folder = join(root, 'screenshots')
const widths = [390, 1280, 1920]
/** CSS pixels of A4, at 96 pixels an inch. */
const paper = { width: 794, height: 1123 }

const picture = join(root, 'docs/console.png')
const maxPictureOctets = 200_000

const { values } = parseArgs({ options: { picture: { type: 'boolean', default: false } } })
const console = await startConsole()
try {
  if (values.picture) await takePicture()
  else {
    await presentUnknownCertificate(console)
    await takeAll(console)
  }
} finally {
  await console.close()
}

async function takeAll(console: ConsoleTest): Promise<void> {
  mkdirSync(folder, { recursive: true })
  for (const { name, address } of await consoleViews(console)) {
    for (const colorScheme of ['light', 'dark'] as const)
      for (const width of widths) {
        const { page } = await console.open(address, { colorScheme, viewport: { width, height: 900 } })
        await whenRead(page)
        await take(page, join(folder, `${name}-${width}-${colorScheme}.png`))
      }
    const { page } = await console.open(address, { viewport: paper })
    await whenRead(page)
    await page.emulateMedia({ media: 'print' })
    await take(page, join(folder, `${name}-print.png`))
    process.stdout.write(`${name}\n`)
  }
}

async function take(page: Page, path: string): Promise<void> {
  await page.screenshot({ path, fullPage: true, animations: 'disabled' })
  await page.context().close()
}

async function takePicture(): Promise<void> {
  const { page } = await console.open('/', { viewport: { width: 1280, height: 800 } })
  await whenRead(page)
  await page.screenshot({ path: picture, animations: 'disabled' })
  const { size } = statSync(picture)
  process.stdout.write(`${picture}: ${size} octets\n`)
  if (size > maxPictureOctets) throw new Error(`the picture has more than ${maxPictureOctets} octets`)
}
