import * as z from 'zod';

/**
 * Reads the variables that a function was deployed with, the only door to the environment.
 * Throws at the start of the function with the names that are missing or wrong, never a value.
 */
export function readConfig<Shape extends z.ZodRawShape>(
  shape: Shape,
): z.output<z.ZodObject<Shape>> {
  const config = z.object(shape).safeParse(process.env);
  if (!config.success) throw new Error(`environment refused:\n${z.prettifyError(config.error)}`);
  return config.data;
}
