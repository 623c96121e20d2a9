/** Debian's Chromium. Its build without windows takes about a third less processor time, so it is preferred. */
import { existsSync } from 'node:fs'
import { missing } from './peers.ts'

const programs = ['chromium-headless-shell', 'chromium']

const program = programs.find((name) => existsSync(`/usr/bin/${name}`)) ?? 'chromium-headless-shell'

export const browserPath = `/usr/bin/${program}`

/** The reason to skip the tests in a browser, or false. */
export const skipWithoutBrowser = missing(program, `apt-get install ${program}`)
