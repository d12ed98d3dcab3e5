/** Saves what is on the screen as a file. */

export function save(blob: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name.replace(/[\\/:*?"<>|\s]+/g, '_');
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

const STYLES = ['fill', 'stroke', 'stroke-width', 'stroke-dasharray', 'stroke-linecap', 'stroke-linejoin', 'opacity',
  'fill-opacity', 'stroke-opacity', 'font-family', 'font-size', 'font-weight', 'text-anchor', 'dominant-baseline'];

/** A copy of the drawing that carries its computed styles, so that it looks the same outside the page. */
function standalone(svg: SVGSVGElement): SVGSVGElement {
  const copy = svg.cloneNode(true) as SVGSVGElement;
  const originals = svg.querySelectorAll('*');
  copy.querySelectorAll('*').forEach((element, index) => {
    const original = originals[index];
    if (!original) return;
    const computed = getComputedStyle(original);
    for (const name of STYLES) (element as SVGElement).style.setProperty(name, computed.getPropertyValue(name));
  });
  copy.querySelectorAll('[data-screen-only]').forEach((element) => element.remove());
  return copy;
}

export interface Caption {
  title: string;
  subtitle: string;
  foot: string;
  /** The lines' names and colours, where the chart shows them outside its drawing. */
  keys?: { label: string; colour: string }[];
}

/** Draws a chart with its title, place and source on a canvas at twice its size. */
export async function toPng(svg: SVGSVGElement, caption: Caption): Promise<Blob> {
  const { width, height } = svg.getBoundingClientRect();
  const copy = standalone(svg);
  copy.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  copy.setAttribute('width', String(width));
  copy.setAttribute('height', String(height));
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(new XMLSerializer().serializeToString(copy))}`;
  await image.decode();
  const [scale, pad, foot] = [2, 16, 34];
  const head = caption.keys?.length ? 82 : 60;
  const canvas = document.createElement('canvas');
  canvas.width = (width + 2 * pad) * scale;
  canvas.height = (height + head + foot + pad) * scale;
  const pen = canvas.getContext('2d');
  if (!pen) throw new Error('This browser gives no canvas to draw on.');
  const root = getComputedStyle(document.documentElement);
  const font = getComputedStyle(document.body).fontFamily;
  const write = (text: string, y: number, style: string, colour: string) => {
    pen.font = `${style} ${font}`;
    pen.fillStyle = root.getPropertyValue(colour);
    pen.fillText(text, pad, y, width);
  };
  pen.scale(scale, scale);
  pen.fillStyle = root.getPropertyValue('--surface');
  pen.fillRect(0, 0, canvas.width, canvas.height);
  write(caption.title, pad + 14, '600 15px', '--text');
  write(caption.subtitle, pad + 34, '12px', '--text-2');
  let at = pad;
  for (const key of caption.keys ?? []) {
    pen.fillStyle = key.colour;
    pen.fillRect(at, 61, 14, 3);
    pen.fillStyle = root.getPropertyValue('--text-2');
    pen.fillText(key.label, at + 19, 66);
    at += 34 + pen.measureText(key.label).width;
  }
  pen.drawImage(image, pad, head, width, height);
  write(caption.foot, height + head + 22, '11px', '--text-3');
  return await new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('The drawing is too large.'))), 'image/png');
  });
}
