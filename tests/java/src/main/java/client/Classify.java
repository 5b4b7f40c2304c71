package client;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.StringJoiner;
import org.tensorflow.SavedModelBundle;
import org.tensorflow.ndarray.NdArrays;
import org.tensorflow.types.TFloat32;
import org.tensorflow.types.TString;

/**
 * Loads a model in a session, as TensorFlow Serving does; a model that Python loads as an object may fail there.
 *
 * <p>Arguments: a SavedModel's folder, a signature, and files, which are asked about in one batch. Prints a line a
 * file: score, probabilities and label, separated by tabs.
 */
public final class Classify {
  private Classify() {}

  public static void main(String[] arguments) throws IOException {
    var files = Arrays.copyOfRange(arguments, 2, arguments.length);
    var contents = new byte[files.length][];
    for (var i = 0; i < files.length; i++) {
      contents[i] = Files.readAllBytes(Path.of(files[i]));
    }
    try (var model = SavedModelBundle.load(arguments[0]);
        var batch = TString.tensorOfBytes(NdArrays.vectorOfObjects(contents))) {
      var serve = model.function(arguments[1]);
      var input = serve.signature().inputNames().iterator().next();
      try (var answer = serve.call(Map.of(input, batch))) {
        var scores = (TFloat32) answer.get("score").orElseThrow();
        var probabilities = (TFloat32) answer.get("probabilities").orElseThrow();
        var labels = (TString) answer.get("label").orElseThrow();
        for (var i = 0; i < files.length; i++) {
          var line = new StringJoiner("\t").add(Float.toString(scores.getFloat(i)));
          probabilities.get(i).scalars().forEach(one -> line.add(Float.toString(one.getFloat())));
          System.out.println(line.add(labels.getObject(i)));
        }
      }
    }
  }
}
