import { createApp } from 'vue';
import '../styles/tokens.css';
import '../styles/base.css';
import './console.css';
import { initLanguage } from '../i18n';
import { initTheme } from '../ui/theme';
import Console from './Console.vue';
import { createConsoleRouter } from './router';
import { resume } from './session';

initTheme();
initLanguage();
// Known before the first page asks for anything.
void resume().then(() => createApp(Console).use(createConsoleRouter()).mount('#app'));
