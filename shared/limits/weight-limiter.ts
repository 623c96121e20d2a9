/**
 * Runs tasks while the sum of their weights is at most `maxWeight`, in the order in which they were given. A task that
 * is heavier runs alone.
 * @returns a function that starts a task when its weight fits, and settles as the task does
 */
export function weightLimiter(maxWeight: number): <T>(weight: number, task: () => Promise<T>) => Promise<T> {
  let total = 0
  const waiting: { weight: number; resume: () => void }[] = []
  const startNext = () => {
    for (let next = waiting[0]; next && fits(next.weight); next = waiting[0]) {
      waiting.shift()
      total += next.weight
      next.resume()
    }
  }
  const fits = (weight: number) => total === 0 || total + weight <= maxWeight
  return async (weight, task) => {
    await new Promise<void>((resume) => {
      waiting.push({ weight, resume })
      startNext()
    })
    try {
      return await task()
    } finally {
      total -= weight
      startNext()
    }
  }
}
