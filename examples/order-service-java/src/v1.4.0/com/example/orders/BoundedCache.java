package com.example.orders;

import java.util.LinkedHashMap;
import java.util.Map;

/** A map that forgets its oldest entry when it would outgrow its capacity. */
final class BoundedCache<K, V> extends LinkedHashMap<K, V> {

    private final int capacity;

    BoundedCache(int capacity) {
        this.capacity = capacity;
    }

    @Override
    protected boolean removeEldestEntry(Map.Entry<K, V> eldest) {
        return size() > capacity;
    }
}
