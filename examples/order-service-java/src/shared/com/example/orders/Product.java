package com.example.orders;

import java.math.BigDecimal;
import java.util.Locale;

/** What can be ordered. */
enum Product {
    KEYBOARD("Mechanical keyboard", "129.00",
            "Eighty-seven keys with tactile switches, hot-swappable, and a detachable braided cable of two metres"),
    MOUSE("Vertical mouse", "59.90",
            "Keeps the wrist in a handshake position; five buttons, two wireless receivers, one charge a month"),
    MONITOR("27-inch monitor", "389.00",
            "Four times full HD on a matt panel, height-adjustable stand, one cable for picture, data and power"),
    HEADSET("Closed headset", "149.50",
            "Passive damping of 28 dB, replaceable ear pads, and a microphone arm that mutes when it is raised"),
    WEBCAM("Webcam", "79.00",
            "Full HD at sixty frames a second, a shutter for the lens, and a clamp that also fits on a tripod"),
    DOCK("Docking station", "219.00",
            "Twelve ports on one cable: two displays, wired network, card reader, audio, and 90 watts of power"),
    DESK_LAMP("Desk lamp", "64.00",
            "Asymmetric light that does not mirror in the screen, stepless brightness from warm to cold white"),
    CHAIR("Office chair", "449.00",
            "Synchronous mechanism, seat depth and lumbar support adjustable, tested for eight hours a day");

    final String title;
    final BigDecimal price;
    final String description;

    Product(String title, String price, String description) {
        this.title = title;
        this.price = new BigDecimal(price);
        this.description = description;
    }

    String image() {
        return "https://shop.example.com/images/" + name().toLowerCase(Locale.ROOT) + "-1200x900.webp";
    }
}
