// Runs HeadAudio's own processor and node outside a browser: node headaudio.mjs PACKAGE SOUND RATE FPS FRAMES
// SOUND is raw little-endian float32 mono. Prints {"names": [viseme…], "values": [[…] a frame]}.
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [folder, sound, rate, fps, frames] = process.argv.slice(2);
const module = (name) => import(pathToFileURL(path.join(folder, "modules", name)).href);

// The browser's half of the node: its port leads straight to the processor.
let processor = null;
globalThis.AudioWorkletNode = class {
  constructor() {
    this.port = { onmessage: null, postMessage: (data) => processor._onmessage({ data }) };
  }
};

const { HeadAudio } = await module("headaudio.mjs");
const { Processor } = await module("processor.mjs");
const { Training } = await module("training.mjs");

const node = new HeadAudio(null, {});
const worklet = {
  port: {
    postMessage: (data) => {
      node._onmessage({ data });
      // 0.1.0 takes viseme 0, "aa", for none, since 0 is false: without this no open vowel would ever show.
      if (data.event === "viseme" && data.viseme === 0) node.visemeActive = 0;
    },
  },
};
processor = new Processor({ sampleRate: Number(rate) }, worklet);

const bytes = fs.readFileSync(path.join(folder, "dist", "model-en-mixed.bin"));
const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
globalThis.fetch = async () => ({ ok: true, arrayBuffer: async () => buffer });
await node.loadModel("model-en-mixed.bin");

const raw = fs.readFileSync(sound);
const samples = new Float32Array(raw.buffer.slice(raw.byteOffset, raw.byteOffset + raw.length));
const current = new Array(node.nVisemes).fill(0);
node.onvalue = (key, value) => { current[node.visemeNames.indexOf(key)] = value; };
const values = [];
let place = 0;
for (let frame = 0; frame < Number(frames); frame++) {
  const until = Math.min(samples.length, Math.round(((frame + 0.5) * Number(rate)) / Number(fps)));
  while (place + 128 <= until) {
    processor.process(samples.subarray(place, place + 128));
    place += 128;
  }
  node.update(1000 / Number(fps));
  values.push([...current]);
}
console.log(JSON.stringify({ names: node.visemeNames, values }));
