import java.util.*;

/** A grid that grows in both directions. */
public class ArraysOfArrays {
    static class Cell {
        final long[] samples = new long[8];
    }
    static Cell[][] grid = {};

    public static void main(String[] args) throws Exception {
        for (int row = 0; row < 200; row++) {
            grid = Arrays.copyOf(grid, row + 1);
            grid[row] = new Cell[200];
            for (int column = 0; column < 200; column++) grid[row][column] = new Cell();
        }
        Leak.dump();
    }
}
