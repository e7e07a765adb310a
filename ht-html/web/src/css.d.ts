// SPDX-License-Identifier: LGPL-2.1-or-later
// The bundler reads styles.
declare module '*.css';
