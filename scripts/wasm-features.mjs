// The features that the compiler uses and every supported browser has. With more features, binaryen could emit
// instructions that only some browsers support.
import binaryen from "binaryen";

const { MutableGlobals, BulkMemory, NontrappingFPToInt, SignExt, ReferenceTypes, Multivalue } = binaryen.Features;
export const features = MutableGlobals | BulkMemory | NontrappingFPToInt | SignExt | ReferenceTypes | Multivalue;
