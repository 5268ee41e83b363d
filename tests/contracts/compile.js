// Compiles every src/*.sol and those of the examples; build/<contract>.json gets its ABI and creation bytecode.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import solc from "solc";

const here = (path) => new URL(path, import.meta.url);
const read = (path) => readFileSync(here(path), "utf8");

const sources = {};
for (const folder of ["src/", "../../examples/"]) {
  for (const name of readdirSync(here(folder))) {
    if (name.endsWith(".sol")) sources[name] = { content: read(folder + name) };
  }
}

const input = {
  language: "Solidity",
  sources,
  settings: {
    optimizer: { enabled: true, runs: 200 },
    outputSelection: { "*": { "*": ["abi", "evm.bytecode.object"] } },
  },
};
const output = JSON.parse(
  solc.compile(JSON.stringify(input), {
    import: (path) => ({ contents: read(`node_modules/${path}`) }),
  }),
);

if (output.errors?.length) {
  for (const fault of output.errors) console.error(fault.formattedMessage);
  process.exit(1);
}

rmSync(here("build/"), { recursive: true, force: true });
mkdirSync(here("build/"));
for (const name of Object.keys(sources)) {
  for (const [contract, { abi, evm }] of Object.entries(output.contracts[name])) {
    const bytecode = evm.bytecode.object;
    if (!bytecode) continue; // interfaces and abstract contracts
    const text = JSON.stringify({ abi, bytecode }, null, 1);
    writeFileSync(here(`build/${contract}.json`), `${text}\n`);
  }
}
