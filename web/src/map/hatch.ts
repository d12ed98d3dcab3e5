/** The pattern of a withheld figure: thin slanted lines that repeat without a seam. */
export function drawHatch(dark: boolean): ImageData {
  const size = 16;
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = size;
  const pen = canvas.getContext('2d');
  if (!pen) return new ImageData(size, size);
  pen.fillStyle = dark ? 'rgba(40,48,56,.55)' : 'rgba(255,255,255,.55)';
  pen.fillRect(0, 0, size, size);
  pen.strokeStyle = dark ? 'rgba(160,175,188,.8)' : 'rgba(95,108,120,.75)';
  pen.lineWidth = 1.8;
  pen.beginPath();
  for (const shift of [-size, 0, size]) {
    pen.moveTo(shift - 2, size + 2);
    pen.lineTo(shift + size + 2, -2);
  }
  pen.stroke();
  return pen.getImageData(0, 0, size, size);
}
