// The places of the sources that the images of a compilation name: each has one number for all of them, so that what one image
// knows of a place is an entry of an array in the next. An image's own locations (`Module.locations`) are numbered as it asks for them.

import { positionAt, type Source } from "../../grammar/source.ts";
import type { SourceLocation } from "../../isa/bytecode/module.ts";

interface Place {
  readonly source: Source;
  readonly offset: number;
  readonly line: number;
  readonly column: number;
  /** As images have it: one for each number that its file has somewhere. */
  readonly locations: SourceLocation[];
  last: SourceLocation | null;
}

export class PlaceTable {
  private readonly places: Place[] = [];
  /** By offset in a source: the number of the place there, from 1. */
  private readonly numbers = new Map<Source, Int32Array>();
  /**
   * By place: the number of its location in the image that named it last, counted on through all images, which are made one after the other. What
   * lies before an image's first number is no number of its. So no image has to make, or to clear, an array of all places.
   */
  private given = new Int32Array(1 << 10);
  private firstGiven = 1;
  private nextGiven = 1;
  private lastSource: Source | null = null;
  private lastNumbers: Int32Array = new Int32Array(0);

  numberOf(source: Source, offset: number): number {
    if (source !== this.lastSource) {
      let numbers = this.numbers.get(source);
      if (numbers === undefined) this.numbers.set(source, (numbers = new Int32Array(source.text.length + 1)));
      this.lastSource = source;
      this.lastNumbers = numbers;
    }
    let number = this.lastNumbers[offset] ?? 0;
    if (number === 0) this.lastNumbers[offset] = number = this.places.push({ source, offset, ...positionAt(source, offset), locations: [], last: null });
    return number - 1;
  }

  /** Numbers of locations begin anew. Gives what the image names itself by when it asks for them. */
  beginImage(): number {
    return (this.firstGiven = this.nextGiven);
  }

  /** The number of the place's location in the image, or -1. */
  locationNumber(place: number, image: number): number {
    if (image !== this.firstGiven) throw new Error("an image is made behind which another has begun");
    return Math.max(-1, (this.given[place] ?? 0) - image);
  }

  /** Gives its location the next number. */
  addLocation(place: number): void {
    if (place >= this.given.length) {
      const grown = new Int32Array(2 * Math.max(place, this.given.length));
      grown.set(this.given);
      this.given = grown;
    }
    this.given[place] = this.nextGiven++;
  }

  sourceOf(number: number): Source {
    return this.placeAt(number).source;
  }

  offsetOf(number: number): number {
    return this.placeAt(number).offset;
  }

  /** The place where its file has this number. */
  locationIn(number: number, file: number): SourceLocation {
    const place = this.placeAt(number);
    // Images mostly number their files alike.
    if (place.last?.file === file) return place.last;
    let location = place.locations.find((other) => other.file === file);
    if (location === undefined) place.locations.push((location = { file, line: place.line, column: place.column }));
    return (place.last = location);
  }

  private placeAt(number: number): Place {
    const place = this.places[number];
    if (place === undefined) throw new Error(`there is no place ${number}`);
    return place;
  }
}
