/** Paths of the console. */

export const consolePath = '/console'

export const consoleConfigPath = `${consolePath}/config.json`
