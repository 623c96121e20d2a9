import assert from 'node:assert/strict'
import { readdirSync, readlinkSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { openSpool, Spool, SpoolError } from '../../../../functions/smtp-ingress/intake/spool.ts'

const root = await mkdtemp(join(tmpdir(), 'spool-test-'))
after(() => rm(root, { recursive: true }))

let directories = 0
const directory = () => join(root, String(++directories))
const isFull = (error: unknown) => error instanceof SpoolError && error.isFull
const isFault = (error: unknown) => error instanceof SpoolError && !error.isFull

test('a spool file has no name, and only the owner of the process can read its directory', async () => {
  const path = directory()
  const file = (await Spool.open(path, 100)).createFile()
  await file.append(Buffer.from('mail'))
  assert.deepEqual(await readdir(path), [])
  assert.equal((await stat(path)).mode & 0o777, 0o700)
  await file.discard()
})

test('octets of a spool file can be read from any position during further appends', async () => {
  const file = (await Spool.open(directory(), 100)).createFile()
  const appends = [file.append(Buffer.from('one, ')), file.append(Buffer.from('two, '))]
  const octets = Buffer.alloc(6)
  await file.read(octets, 3)
  assert.equal(octets.toString(), ', two,')
  await Promise.all([...appends, file.append(Buffer.from('three'))])
  assert.equal(file.length, 15)
  await assert.rejects(file.read(Buffer.alloc(6), 10), isFault)
  await file.discard()
})

test('the spool refuses octets beyond its maximum, and a discarded file frees its octets', async () => {
  const spool = await Spool.open(directory(), 100)
  const [first, second] = [spool.createFile(), spool.createFile()]
  await first.append(Buffer.alloc(60))
  await assert.rejects(second.append(Buffer.alloc(41)), isFull)
  await second.append(Buffer.alloc(40))
  assert.equal(spool.freeOctets, 0)
  await Promise.all([first.discard(), first.discard()])
  assert.equal(spool.freeOctets, 60)
  await second.discard()
  assert.equal(spool.freeOctets, 100)
})

test('a discarded spool file rejects reads and appends', async () => {
  const spool = await Spool.open(directory(), 100)
  const file = spool.createFile()
  const first = file.append(Buffer.alloc(60))
  const discarding = file.discard()
  await assert.rejects(file.append(Buffer.alloc(10)), isFault)
  await assert.rejects(file.read(Buffer.alloc(10), 0), isFault)
  await Promise.all([first, discarding])
  assert.equal(spool.freeOctets, 100)
})

test('a discarded spool file is closed, so that the disk frees its octets', async () => {
  const path = directory()
  const openFileCount = () =>
    readdirSync('/proc/self/fd').filter((descriptor) => {
      try {
        return readlinkSync(`/proc/self/fd/${descriptor}`).startsWith(`${path}/`)
      } catch {
        return false
      }
    }).length
  const file = (await Spool.open(path, 100)).createFile()
  await file.append(Buffer.from('mail'))
  assert.equal(openFileCount(), 1)
  await file.discard()
  assert.equal(openFileCount(), 0)
})

test('a spool file that cannot be opened rejects its append and occupies no octets', async () => {
  const path = directory()
  const spool = await Spool.open(path, 100)
  await rm(path, { recursive: true })
  await writeFile(path, '')
  const file = spool.createFile()
  await assert.rejects(file.append(Buffer.alloc(10)), isFault)
  await file.discard()
  assert.equal(spool.freeOctets, 100)
})

test('the first append creates the spool directory again when it was removed', async () => {
  const path = directory()
  const spool = await Spool.open(path, 100)
  await rm(path, { recursive: true })
  const file = spool.createFile()
  await file.append(Buffer.from('mail'))
  assert.equal((await stat(path)).mode & 0o777, 0o700)
  await file.discard()
})

test('SpoolError.isFull is true for ENOSPC and EDQUOT only', async () => {
  // The kernel's error for a full disk.
  const full = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
  assert.ok(isFull(new SpoolError(full)))
  assert.ok(isFull(new SpoolError(Object.assign(new Error('quota'), { code: 'EDQUOT' }))))
  assert.ok(isFault(new SpoolError(Object.assign(new Error('fault'), { code: 'EIO' }))))
})

test('Spool.open removes files that a crashed process left, and no other files', async () => {
  const path = directory()
  await mkdir(path)
  for (const name of ['left.spool', 'other']) await writeFile(join(path, name), 'x')
  await Spool.open(path, 100)
  assert.deepEqual(await readdir(path), ['other'])
})

test('Spool.open rejects with the name of a directory that cannot be created', async () => {
  const path = join(root, 'file')
  await writeFile(path, '')
  await assert.rejects(Spool.open(join(path, 'spool'), 100), (error: Error) =>
    error.message.startsWith(`spool directory ${path}/spool: ENOTDIR`),
  )
})

const environment = { SPOOL_MIB: 64, MAX_MESSAGE_SIZE: 1_000_000 }

test('the spool has the size of SPOOL_MIB', async () => {
  const spool = await openSpool({ ...environment, SPOOL_DIRECTORY: directory() })
  assert.equal(spool.freeOctets, 64 * 1024 * 1024)
})

test('openSpool rejects when SPOOL_MIB is too small for a message of MAX_MESSAGE_SIZE', async () => {
  const opening = openSpool({ ...environment, SPOOL_DIRECTORY: directory(), MAX_MESSAGE_SIZE: 68_000_000 })
  await assert.rejects(opening, {
    message: 'SPOOL_MIB: 64 MiB are too few for a message of 68000000 octets',
  })
})
